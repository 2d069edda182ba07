/* The answer of a call, as a userdata: status, headers, request_id, attempts, elapsed, text(). And the reading of
 * an answer: its decoded body, or the error object that says why there is none.
 *
 * A response owns nothing in C: its body and headers are Lua values in its user values.
 */
#ifndef CALIRA_RESPONSE_H
#define CALIRA_RESPONSE_H

#include <lua.h>

#include "http/failure.h"

/* Pushes the decoded body of a call that is over and frees its copy in C; raises the error object of one that failed.
 * `client` is the stack index of its client. With `keep` the body's text is pushed below the value. */
void response_read(lua_State *L, int client, struct call *c, const struct asked *asked, bool keep);

/* Pushes the response userdata of a call; the body's text is on the top and is popped. */
void response_new(lua_State *L, const struct call *c);

/* Adds the metatable. */
void response_open(lua_State *L);

#endif
