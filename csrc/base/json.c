#include "base/json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MOST_DEPTH = 100 };

static const char decode_key; /* registry: decode of the private cjson */

/* Bytes of the UTF-8 character at `p`, of which `left` bytes are there; 0: it is none. RFC 3629, section 4. */
static size_t utf8(const unsigned char *p, size_t left) {
    size_t size = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < size)
        return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

/* The end of the string whose opening quote is before `p`; NULL with *wrong set where it holds what JSON forbids. */
static const unsigned char *scan_string(const unsigned char *p, const unsigned char *end, const char **wrong) {
    while (p < end && *p != '"') {
        if (*p < ' ') {
            *wrong = "a control character in a string";
            return NULL;
        }
        size_t size = *p < 0x80 ? 1 : utf8(p, (size_t)(end - p));
        if (size == 0) {
            *wrong = "invalid UTF-8";
            return NULL;
        }
        p += *p == '\\' && p + 1 < end && p[1] < 0x80 ? 2 : size;
    }
    if (p >= end) {
        *wrong = "it ends inside a string";
        return NULL;
    }
    return p + 1;
}

static bool digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

const char *json_scan(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    const char *wrong = NULL;
    while (p < end) {
        unsigned char c = *p++;
        if (c == '"') {
            p = scan_string(p, end, &wrong);
            if (!p)
                return wrong;
        } else if (c == '\0' || c >= 0x80) {
            return c ? "bytes outside of strings that are not ASCII" : "a NUL byte";
        } else if (c == '.' && !(p - 1 > (const unsigned char *)text && digit(p[-2]) && p < end && digit(*p))) {
            return "a point that is not between two digits";
        }
    }
    return NULL;
}

char json_first(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!strchr(" \t\r\n", text[i]))
            return text[i];
    return 0;
}

static bool put_right(lua_State *L, int table);

/* Puts the value on the top, found under the key below it in `table`, right. False: it holds a number beyond range. */
static bool put_value(lua_State *L, int table) {
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        return put_right(L, lua_gettop(L));
    case LUA_TLIGHTUSERDATA: /* null: absent as a field (string key), kept as an array's element */
        if (lua_type(L, -2) == LUA_TSTRING) {
            lua_pushvalue(L, -2);
            lua_pushnil(L);
            lua_rawset(L, table);
        }
        return true;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, -1)) {
            double n = lua_tonumber(L, -1);
            if (isinf(n) || isnan(n))
                return false;
            if (n == floor(n) && fabs(n) < 9007199254740992.0) {
                lua_pushvalue(L, -2);
                lua_pushinteger(L, (lua_Integer)n);
                lua_rawset(L, table);
            }
        }
        return true;
    default:
        return true;
    }
}

/* In place: giving a present key nil or another value is allowed while lua_next walks. Depth is bounded by cjson's. */
static bool put_right(lua_State *L, int table) {
    luaL_checkstack(L, 6, "calira");
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (!put_value(L, table))
            return false;
        lua_settop(L, table + 1);
    }
    return true;
}

/* Puts the value on the top right, in a table of one so that the same rules serve it. */
static bool put_alone(lua_State *L) {
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    int table = lua_gettop(L);
    bool right = put_right(L, table);
    lua_settop(L, table);
    lua_rawgeti(L, table, 1);
    lua_remove(L, table);
    return right;
}

bool json_decode(lua_State *L, int index) {
    size_t size;
    index = lua_absindex(L, index);
    const char *text = lua_tolstring(L, index, &size);
    const char *wrong = json_first(text, size) ? json_scan(text, size) : "the body is empty";
    luaL_checkstack(L, 8, "calira");
    if (wrong) {
        lua_pushstring(L, wrong);
        return false;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
    lua_pushvalue(L, index);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_ERRMEM)
        lua_error(L);
    if (status == LUA_OK && !put_alone(L)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "a number beyond the range of a double");
        return false;
    }
    return status == LUA_OK;
}

/* core.decode(text): its value; nil and what is wrong. Beside it core.encode, which is cjson's: for grants. */
static int f_decode(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (json_decode(L, 1))
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* Calls cjson's configuring function `name` with one argument, which is on the top. */
static void configure(lua_State *L, int cjson, const char *name) {
    lua_getfield(L, cjson, name);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
}

void json_open(lua_State *L) {
    int module = lua_gettop(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "null");
    lua_setfield(L, module, "null");
    lua_getfield(L, -1, "new"); /* a private instance: the host's settings stay the host's */
    lua_call(L, 0, 1);
    int cjson = lua_gettop(L);
    lua_pushboolean(L, 0);
    configure(L, cjson, "decode_invalid_numbers");
    lua_pushinteger(L, MOST_DEPTH);
    configure(L, cjson, "decode_max_depth");
    lua_getfield(L, cjson, "decode");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
    lua_getfield(L, cjson, "encode");
    lua_setfield(L, module, "encode");
    lua_pushcfunction(L, f_decode);
    lua_setfield(L, module, "decode");
    lua_settop(L, module);
}
