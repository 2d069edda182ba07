/* The error object of a call that failed: what happened, in words that can be acted on. */
#ifndef CALIRA_FAILURE_H
#define CALIRA_FAILURE_H

#include <lua.h>

#include "http/response.h"

/* Pushes the error object of a response that is not a good answer. `response` and `client`: stack indices. */
void failure_push(lua_State *L, int response, int client, const struct asked *asked);

/* Pushes a `decode` error about an answer; the text on the top, which is popped, says what is wrong with it. */
void failure_decode(lua_State *L, int response, int client, const struct asked *asked);

#endif
