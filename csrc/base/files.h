/* Floor 1. Small files that hold secrets: written whole or not at all, readable by their owner alone, locked between
 * processes. */
#ifndef CALIRA_FILES_H
#define CALIRA_FILES_H

#include <lua.h>

/* Adds write_private, sync and try_lock to the module table on the top. */
void files_open(lua_State *L);

#endif
