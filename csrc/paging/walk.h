/* A walk over the pages of one list of the API, as a userdata of the Lua layer: passes, new records, verdict.
 *
 * A walk is a source of batches (see list.h). Owns its pages and its sets of ids; its user values hold the client, the
 * query and what an exact walk keeps. Collecting or closing it cancels what is in handle.
 */
#ifndef CALIRA_WALK_H
#define CALIRA_WALK_H

#include <lua.h>

/* Adds the function `walk` to the module table on the top. */
void walk_open(lua_State *L);

#endif
