/* `calira.core`: opens the layers below and nothing else; the functions of calira.h for hosts. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "calira.h"
#include "embedded.h"
#include "engine/wait.h"
#include "http/client.h"
#include "http/request.h"
#include "http/response.h"
#include "paging/dedup.h"
#include "paging/list.h"
#include "paging/walk.h"

static const char core_key = 0; /* registry: the module table, once it is loaded */

/* core.isatty(descriptor): whether it is a terminal. */
static int f_isatty(lua_State *L) {
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* core.columns(descriptor): how many cells wide that terminal is; nil where it is none, or does not say. */
static int f_columns(lua_State *L) {
    struct winsize size = {0};
    if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 0;
    lua_pushinteger(L, size.ws_col);
    return 1;
}

static void set_text(lua_State *L, const char *name, const char *text) {
    if (text) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, name);
    }
}

/* core.versions(): what this is made of, as texts: `libcurl`, `tls` (the backend), `authorities` (a file or a folder; the field is
 * absent where libcurl has no default), `http2` (true or absent). */
static int f_versions(lua_State *L) {
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    lua_newtable(L);
    set_text(L, "libcurl", info->version);
    set_text(L, "tls", info->ssl_version);
    set_text(L, "authorities", info->capath ? info->capath : info->cainfo);
    if (info->features & CURL_VERSION_HTTP2) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "http2");
    }
    return 1;
}

int luaopen_calira_core(lua_State *L) {
    luaL_checkversion(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key) == LUA_TTABLE)
        return 1; /* loaded once more, after package.loaded was cleared: there is one engine, and this is what drives it */
    lua_newtable(L);
    loop_of(L); /* the engine first, so that it is the last to be finalized */
    error_open(L);
    text_open(L);
    json_open(L);
    files_open(L);
    wait_open(L);
    client_open(L);
    response_open(L);
    request_open(L);
    dedup_open(L);
    walk_open(L);
    list_open(L);
    static const luaL_Reg functions[] = {
        {"isatty", f_isatty},
        {"columns", f_columns},
        {"versions", f_versions},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_pushliteral(L, CALIRA_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
    return 1;
}

/* ---- for hosts ---- */

/* The loader of an embedded module; its entry is the upvalue. */
static int load_embedded(lua_State *L) {
    const struct calira_embedded *e = lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbufferx(L, (const char *)e->text, e->size, e->chunkname, "t") != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, e->name);
    lua_call(L, 1, 1);
    return 1;
}

static int preload(lua_State *L) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const struct calira_embedded *e = calira_embedded; e->name; e++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)e);
        lua_pushcclosure(L, load_embedded, 1);
        lua_setfield(L, -2, e->name);
    }
    lua_pushcfunction(L, luaopen_calira_core);
    lua_setfield(L, -2, "calira.core");
    return 0;
}

void calira_preload(lua_State *L) {
    if (!lua_checkstack(L, 1))
        return;
    lua_pushcfunction(L, preload);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* Calls core[name](…) with the argument on the top; the result, or the error object, is left there. False: an error. */
static int call_core(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &core_key) != LUA_TTABLE)
        return 0; /* not loaded: nothing to do */
    lua_getfield(L, -1, lua_touserdata(L, 1));
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
    return 1;
}

/* As call_core, protected. Pushes nothing where the stack has no room for the call. */
static int call(lua_State *L, const char *name, double argument) {
    if (!lua_checkstack(L, 4))
        return LUA_ERRMEM;
    lua_pushcfunction(L, call_core);
    lua_pushlightuserdata(L, (void *)(uintptr_t)name);
    lua_pushnumber(L, argument);
    return lua_pcall(L, 2, 1, 0);
}

int calira_pollfd(lua_State *L) {
    int top = lua_gettop(L);
    int fd = call(L, "pollfd", 0) == LUA_OK && lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : -1;
    lua_settop(L, top);
    return fd;
}

double calira_timeout(lua_State *L) {
    int top = lua_gettop(L);
    double seconds = call(L, "timeout", 0) == LUA_OK && lua_isnumber(L, -1) ? lua_tonumber(L, -1) : -1;
    lua_settop(L, top);
    return seconds;
}

int calira_step(lua_State *L, double seconds) {
    int top = lua_gettop(L);
    int status = call(L, "step", seconds);
    if (status != LUA_OK) {
        if (lua_gettop(L) == top)
            lua_pushnil(L); /* no room for a message: into the slot that the host has left */
        return -1;
    }
    int left = lua_toboolean(L, -1);
    lua_settop(L, top);
    return left;
}
