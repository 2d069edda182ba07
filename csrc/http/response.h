/* What a call brought, as a userdata: status, headers, request_id, attempts, elapsed, text(). And its reading: the decoded
 * body, or the error object that says why there is none.
 *
 * A response owns the reply that it took out of a call: whatever Lua code runs while it is read, nobody else can free it.
 */
#ifndef CALIRA_RESPONSE_H
#define CALIRA_RESPONSE_H

#include <lua.h>

#include "http/client.h"

/* What a body has to be. */
enum want { WANT_ANY, WANT_OBJECT, WANT_ARRAY };

/* What is asked, for messages. The text is borrowed: keep it on the stack while it is used. */
struct asked {
    const char *scope; /* the scope that the call needs; NULL: not known */
    lua_Integer page;  /* 0: no list */
    enum want want;
};

/* User values. */
enum { RESPONSE_PATH = 1, RESPONSE_HEADERS, RESPONSE_VALUES = 2 };

struct response {
    struct resource resource;
    struct reply reply;
    bool post;
    int attempts;
    double retry_after; /* seconds that the server asks for; -1: it does not */
    int64_t asked, ended;
};

/* Pushes an empty one. `path`, for messages: stack index of a string. */
struct response *response_new(lua_State *L, struct loop *lp, int path);

/* Takes the reply out of a call that is over. Allocates nothing; the call can still be asked again. */
void response_take(struct response *r, struct call *c);

/* Whether it is the answer that was asked for. */
bool response_good(const struct response *r);

enum reading_result { READING_VALUE, READING_ERROR, READING_CUT };

/* Pushes the decoded body (VALUE) or the error object that says why there is none: ERROR, or CUT where the JSON ends early
 * in an answer that came whole. `response` and `client`: stack indices. Raises what is not ours (memory, an interrupt): then
 * nothing has changed, and it may be called again. */
enum reading_result response_read(lua_State *L, int response, int client, const struct asked *asked);

/* Frees the body; the rest stays. */
void response_drop_body(struct response *r);

/* Makes the metatable. */
void response_open(lua_State *L);

#endif
