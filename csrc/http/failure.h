/* The error object of a call that failed: what happened, in words that can be acted on. */
#ifndef CALIRA_FAILURE_H
#define CALIRA_FAILURE_H

#include <lua.h>

#include "http/client.h"

/* What a body has to be. */
enum want { WANT_ANY, WANT_OBJECT, WANT_ARRAY };

/* What is asked, for messages. The texts are borrowed. */
struct asked {
    const char *scope; /* the scope that the call needs; NULL: not known */
    lua_Integer page;  /* 0: no list */
    enum want want;
};

/* Pushes the error object of a call that is over and did not bring a good answer. `client`: stack index. */
void failure_push(lua_State *L, int client, const struct call *c, const struct asked *asked);

/* Pushes a `decode` error about the answer of a call; `what` says what is wrong with it. */
void failure_decode(lua_State *L, const struct client *client, const struct call *c, const struct asked *asked,
                    const char *what);

#endif
