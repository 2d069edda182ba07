#include "base/text.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "base/buffer.h"

/* Bytes of the control character at `p`, of which `left` bytes are there; 0: it is none. */
static size_t control(const unsigned char *p, size_t left) {
    if (p[0] < 0x20 || p[0] == 0x7F)
        return 1;
    if (left >= 2 && p[0] == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F) /* C1 */
        return 2;
    if (left >= 2 && p[0] == 0xD8 && p[1] == 0x9C) /* U+061C */
        return 2;
    if (left < 3 || p[0] != 0xE2)
        return 0;
    bool marks = p[1] == 0x80 && (p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE)); /* U+200E … U+202E */
    bool isolates = p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9; /* U+2066 … U+2069 */
    return marks || isolates ? 3 : 0;
}

void text_push_masked(lua_State *L, const char *text, size_t size) {
    luaL_Buffer clean;
    luaL_buffinit(L, &clean);
    size_t from = 0;
    for (size_t at = 0; at < size;) {
        size_t masked = control((const unsigned char *)text + at, size - at);
        if (masked) {
            luaL_addlstring(&clean, text + from, at - from);
            luaL_addchar(&clean, '?');
            from = at + masked;
        }
        at += masked ? masked : 1;
    }
    luaL_addlstring(&clean, text + from, size - from);
    luaL_pushresult(&clean);
}

/* core.mask(text): see text_push_masked. */
static int f_mask(lua_State *L) {
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    text_push_masked(L, text, size);
    return 1;
}

/* core.digest(text): see buffer_digest; as a Lua integer. */
static int f_digest(lua_State *L) {
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_pushinteger(L, (lua_Integer)buffer_digest(0, text, size));
    return 1;
}

void text_open(lua_State *L) {
    lua_pushcfunction(L, f_mask);
    lua_setfield(L, -2, "mask");
    lua_pushcfunction(L, f_digest);
    lua_setfield(L, -2, "digest");
}
