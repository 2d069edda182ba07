/* embed: a C program that hosts Lua, with the Calira library inside: none of its files is needed on disk.
 *
 *   cmake --preset release && cmake --build --preset release --target embed
 *   CALIRA_TOKEN=… build/release/examples/embed [script.lua]
 *
 * The program keeps its own loop. Lua starts tasks and returns at once; from then on the loop polls one descriptor,
 * next to its own, and gives the library a turn when there is something to do.
 *
 * The script need not be trusted: Lua has MOST_MEMORY bytes (bodies that are on their way are libcurl's and not counted;
 * the client's max_body bounds them), and the script sees what the sandbox below gives it: it reads the API, but no file,
 * no environment, no token. It has no limit of time; lua_sethook with LUA_MASKCOUNT would set one.
 *
 * Exit status: 0, or 1 after an error.
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

enum { MOST_MEMORY = 32 * 1024 * 1024 };

static const char script[] = "for b in calira.bookings{ provider = 102, limit = 10 } do\n"
                             "  print(b.id, b.status, b.equipment and b.equipment.name)\n"
                             "end\n";

/* Gives a function that starts a script as a task, in an environment of its own. */
static const char sandbox[] =
    "local calira = require 'calira'\n"
    "local names = 'accounts account bookings booking equipment projects groups form_response tree '\n"
    "  .. 'time seconds add answers gather sleep is_error null'\n"
    "local function copy(from)\n" /* a script that changes its copy changes nothing for others */
    "  local to = {}\n"
    "  for name, value in pairs(from) do to[name] = value end\n"
    "  return to\n"
    "end\n"
    "return function(text, name)\n"
    "  local readers = {}\n"
    "  for reader in names:gmatch '%S+' do readers[reader] = calira[reader] end\n"
    "  local environment = { calira = readers,\n"
    "    string = copy(string), table = copy(table), math = copy(math), utf8 = copy(utf8),\n"
    "    print = print, type = type, tostring = tostring, tonumber = tonumber, pairs = pairs, ipairs = ipairs,\n"
    "    next = next, select = select, error = error, assert = assert, pcall = pcall }\n"
    "  local run = assert(load(text, name, 't', environment))\n" /* 't': no bytecode, which could do anything */
    "  calira.spawn(function()\n"
    "    local ok, err = pcall(run)\n"
    "    if not ok then failed = tostring(err) end\n"
    "  end)\n"
    "end\n";

struct budget {
    size_t used;
};

/* Lua's allocator: realloc and free within the budget. */
static void *allocate(void *data, void *block, size_t old_size, size_t size) {
    struct budget *budget = data;
    size_t old = block ? old_size : 0; /* of a new block it is the kind */
    if (size > old && size - old > MOST_MEMORY - budget->used)
        return NULL;
    void *moved = NULL;
    if (size == 0)
        free(block);
    else if ((moved = realloc(block, size)) == NULL)
        return NULL;
    budget->used = budget->used - old + size;
    return moved;
}

/* set_up(path): opens the libraries and starts the script of that file (nil: the one above). */
static int set_up(lua_State *L) {
    luaL_openlibs(L);
    calira_preload(L);
    if (luaL_loadstring(L, sandbox) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    const char *path = lua_tostring(L, 1);
    if (path) {
        lua_getglobal(L, "io");
        lua_getfield(L, -1, "open");
        lua_pushvalue(L, 1);
        lua_call(L, 1, 2);
        if (lua_isnil(L, -2))
            return lua_error(L);
        lua_pop(L, 1);
        lua_getfield(L, -1, "read");
        lua_insert(L, -2);
        lua_pushliteral(L, "a");
        lua_call(L, 2, 1);
        lua_remove(L, -2);
    } else {
        lua_pushstring(L, script);
    }
    lua_pushfstring(L, path ? "@%s" : "=script", path);
    lua_call(L, 2, 0);
    return 0;
}

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
    struct budget budget = {0};
    lua_State *L = lua_newstate(allocate, &budget);
    if (L == NULL)
        return EXIT_FAILURE;
    lua_pushcfunction(L, set_up);
    lua_pushstring(L, argc > 1 ? argv[1] : NULL);
    int ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
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
