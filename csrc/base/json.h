/* Floor 1. JSON into Lua values: lua-cjson decodes; a scan before it refuses what it wrongly lets through, a pass after it
 * puts numbers and nulls right.
 */
#ifndef CALIRA_JSON_H
#define CALIRA_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Decodes the string at `index` and pushes its value; where that cannot be, pushes what is wrong and returns false. A
 * whole number below 2^53 is an integer, a null field is absent, a null in an array is cjson.null. May raise for want of
 * memory only. */
bool json_decode(lua_State *L, int index);

/* What the scan finds wrong with a text; NULL: nothing. */
const char *json_scan(const char *text, size_t size);

/* The first byte that is no white space; 0: none. Tells an array from an object. */
char json_first(const char *text, size_t size);

/* Loads lua-cjson, keeps a private instance in the registry, and adds `null` to the module table on the top. */
void json_open(lua_State *L);

#endif
