/* calira: the Calira API for Lua 5.4. What a C or C++ host needs; layer 7.
 *
 * None of these functions raises a Lua error but luaopen_calira_core, which is called by `require`.
 */
#ifndef CALIRA_H
#define CALIRA_H

#define CALIRA_VERSION "0.1.0"

#if defined(__GNUC__)
#define CALIRA_API __attribute__((visibility("default")))
#else
#define CALIRA_API
#endif

#ifdef __cplusplus
extern "C" { /* around lua.h as well, which says nothing of C++ */
#endif

#include <lua.h>

/* Opens the module `calira.core`; for `require`. */
CALIRA_API int luaopen_calira_core(lua_State *L);

/* Makes `require "calira"` work in this state with no file of the library on disk (lua-cjson must still be found). */
CALIRA_API void calira_preload(lua_State *L);

/* The one descriptor a host polls for reading: readable when there is something to do. -1 where there is none. */
CALIRA_API int calira_pollfd(lua_State *L);

/* Seconds after which to call calira_step at the latest; -1: no need to. */
CALIRA_API double calira_timeout(lua_State *L);

/* Does what is due, waiting at most `seconds` for it (0: not at all). 1: work is left, 0: none, -1: an error object was
 * pushed on the stack, which must have room for one value (nil where memory ran out before there could be one). */
CALIRA_API int calira_step(lua_State *L, double seconds);

#ifdef __cplusplus
}
#endif

#endif
