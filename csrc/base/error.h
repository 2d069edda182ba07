/* Error objects: tables with `kind`, `message` and what else is known, and a __tostring for people.
 * CONTRACT section 6. All of these may raise for want of memory.
 */
#ifndef CALIRA_ERROR_H
#define CALIRA_ERROR_H

#include <lua.h>
#include <stdbool.h>

/* Pushes a new error object; `at` is the innermost call in the user's own code. Set further fields with lua_setfield. */
void error_new(lua_State *L, const char *kind, const char *format, ...);

/* error_new, then raises it. Never returns; the type is for `return error_throw(…)`. */
__attribute__((noreturn)) int error_throw(lua_State *L, const char *kind, const char *format, ...);

/* Whether the value at `index` is one. */
bool error_is(lua_State *L, int index);

/* Pushes "file:line" of the innermost Lua function that is not this library's own; false, pushing nothing: none. */
bool error_where(lua_State *L);

/* Adds raise, failure, is_error and hide to the module table on the top. */
void error_open(lua_State *L);

#endif
