#include "base/error.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ERROR "calira.error"

static const char hidden_key; /* registry: the prefix of this library's own chunk names */

/* The innermost frame of a thread that is not this library's own; false: none. */
static bool users_frame(lua_State *thread, const char *hidden, lua_Debug *at) {
    for (int level = 0; lua_getstack(thread, level, at); level++) {
        lua_getinfo(thread, "Sl", at);
        if (at->currentline > 0 && !(hidden && strncmp(at->source, hidden, strlen(hidden)) == 0))
            return true;
    }
    return false;
}

/* A task whose function is `function() return calira.booking(7) end` has no frame left, since that is a tail call; then it
 * is the line of the main thread that waits for the task. */
bool error_where(lua_State *L) {
    lua_Debug at;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key);
    const char *hidden = lua_tostring(L, -1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    bool found = users_frame(L, hidden, &at) || (main != L && users_frame(main, hidden, &at));
    lua_pop(L, 2);
    if (found)
        lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
    return found;
}

static void new_object(lua_State *L, const char *kind, const char *format, va_list arguments) {
    luaL_checkstack(L, 8, "calira");
    lua_createtable(L, 0, 10);
    luaL_setmetatable(L, ERROR);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    size_t size;
    const char *message;
    lua_pushvfstring(L, format, arguments);
    message = lua_tolstring(L, -1, &size);
    text_push_masked(L, message, size); /* it may hold a server's words */
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
    if (error_where(L))
        lua_setfield(L, -2, "at");
}

void error_new(lua_State *L, const char *kind, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    new_object(L, kind, format, arguments);
    va_end(arguments);
}

int error_throw(lua_State *L, const char *kind, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    new_object(L, kind, format, arguments);
    va_end(arguments);
    lua_error(L);
    abort(); /* lua_error does not return, but is not declared so */
}

bool error_is(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, ERROR);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Appends the field as text between `before` and `after`, if there is one. */
static void add_field(lua_State *L, luaL_Buffer *text, const char *name, const char *before, const char *after) {
    int type = lua_getfield(L, 1, name);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
        lua_pop(L, 1);
        return;
    }
    lua_pushfstring(L, "%s%s%s", before, lua_tostring(L, -1), after);
    lua_remove(L, -2);
    luaL_addvalue(text);
}

/* "calira: GET /bookings/7: 403: the application lacks the scope read_bookings (export.lua:12)" */
static int error_tostring(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    luaL_addstring(&text, "calira: ");
    add_field(L, &text, "method", "", " ");
    add_field(L, &text, "path", "", ": ");
    add_field(L, &text, "status", "", ": ");
    add_field(L, &text, "message", "", "");
    add_field(L, &text, "at", " (", ")");
    luaL_pushresult(&text);
    size_t size;
    const char *whole = lua_tolstring(L, -1, &size);
    text_push_masked(L, whole, size); /* whoever has changed a field since */
    return 1;
}

/* "failed: " .. err */
static int error_concat(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

/* core.failure(kind, message [, fields]): a new error object. core.raise(…): raises it. */
static int f_failure(lua_State *L) {
    const char *kind = luaL_checkstring(L, 1);
    const char *message = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    error_new(L, kind, "%s", message);
    if (lua_istable(L, 3)) {
        lua_pushnil(L);
        while (lua_next(L, 3)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 4);
        }
    }
    return 1;
}

static int f_raise(lua_State *L) {
    f_failure(L);
    return lua_error(L);
}

static int f_is_error(lua_State *L) {
    lua_pushboolean(L, error_is(L, 1));
    return 1;
}

/* core.hide(source): chunks whose name starts with this are the library's own. */
static int f_hide(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hidden_key);
    return 0;
}

void error_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"failure", f_failure}, {"raise", f_raise}, {"is_error", f_is_error}, {"hide", f_hide}, {NULL, NULL},
    };
    luaL_newmetatable(L, ERROR);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_concat);
    lua_setfield(L, -2, "__concat");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
