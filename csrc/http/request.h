/* A call to come, as a userdata: wait(), done(), cancel().
 *
 * Owns its call; its first user value holds the client, so that the queue outlives it. Collecting, closing or cancelling a
 * request stops its transfer.
 */
#ifndef CALIRA_REQUEST_H
#define CALIRA_REQUEST_H

#include <lua.h>

/* Adds the functions `request` and `get` to the module table on the top. */
void request_open(lua_State *L);

#endif
