/* embed: a C program that hosts Lua, with the Calira library inside: none of its files is needed on disk.
 *
 *   cmake --preset release && cmake --build --preset release --target embed
 *   CALIRA_TOKEN=… build/release/examples/embed [script.lua]
 *
 * The program keeps its own loop. Lua starts tasks and returns at once; from then on the loop polls one descriptor,
 * next to its own, and gives the library a turn when there is something to do. Exit status: 0, or 1 after an error.
 */
#include "calira.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static const char script[] = "local calira = require 'calira'\n"
                             "calira.spawn(function()\n"
                             "  local ok, err = pcall(function()\n"
                             "    for b in calira.bookings{ provider = 102, limit = 10 } do\n"
                             "      print(b.id, b.status, b.equipment and b.equipment.name)\n"
                             "    end\n"
                             "  end)\n"
                             "  failed = not ok and tostring(err)\n"
                             "end)\n";

/* Prints the error object at the top of the stack and takes it away. */
static void complain(lua_State *L) {
    fprintf(stderr, "embed: %s\n", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
}

/* Until nothing is left to do. Whether all went well. */
static int loop(lua_State *L) {
    int left;
    while ((left = calira_step(L, 0)) > 0) {
        double wait = calira_timeout(L);
        int milliseconds = wait < 0 ? -1 : (int)fmin(ceil(wait * 1000), INT_MAX);
        struct pollfd watched[] = {{.fd = calira_pollfd(L), .events = POLLIN}}; /* and those of the program's own */
        poll(watched, 1, milliseconds);
    }
    if (left == 0)
        return 1;
    complain(L);
    return 0;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return EXIT_FAILURE;
    luaL_openlibs(L);
    calira_preload(L);

    int status = argc > 1 ? luaL_dofile(L, argv[1]) : luaL_dostring(L, script);
    int ok = status == LUA_OK;
    if (!ok)
        complain(L);
    else
        ok = loop(L);
    if (ok && lua_getglobal(L, "failed") == LUA_TSTRING) {
        complain(L);
        ok = 0;
    }
    lua_close(L);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
