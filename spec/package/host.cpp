// A host in C++: calira.h alone declares what it needs of Lua, with C linkage. Where Lua is compiled as C++, its errors are
// exceptions that pass through the library's frames; then a destructor has to run.
#include "calira.h"
#include <cstdio>
#include <cstring>

extern "C" {
#include <lauxlib.h>
#include <lualib.h>
}

static int unwound;

struct Guard {
    ~Guard() { unwound++; }
};

// Calls calira.new without a token, in which the C module raises.
static int fails(lua_State *L) {
    Guard guard;
    lua_getglobal(L, "fails");
    lua_call(L, 0, 0);
    return 0;
}

int main(int argc, char **) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    calira_preload(L);
    if (luaL_dostring(L, "local core = require 'calira.core' function fails() core.raise('argument', 'as it should') end") != LUA_OK) {
        std::fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_pushcfunction(L, fails);
    const bool failed = lua_pcall(L, 0, 0, 0) != LUA_OK;
    std::printf("%s, %d unwound\n", luaL_tolstring(L, -1, nullptr), unwound);
    lua_close(L);
    return !failed || (argc == 1 && unwound != 1); // an argument: a Lua that jumps
}
