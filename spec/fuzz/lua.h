/* A Lua state with the library in it, made once, for the fuzzers of what is reached through Lua. */
#ifndef CALIRA_FUZZ_LUA_H
#define CALIRA_FUZZ_LUA_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "calira.h"

/* The state, with the function that `setup` returns at index 1. */
static lua_State *fuzz_state(const char *setup) {
    static lua_State *L;
    if (L)
        return L;
    L = luaL_newstate();
    luaL_openlibs(L);
    calira_preload(L);
    if (luaL_dostring(L, setup) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_settop(L, 1);
    return L;
}

/* Calls the function with the input. It raises where a promise is broken. */
static int fuzz_call(lua_State *L, const unsigned char *data, size_t size) {
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
        abort();
    }
    return 0;
}

#endif
