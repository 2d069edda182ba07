/* calira.h as a host sees it: everything from memory, a loop around one descriptor, nothing that raises. Needs a sandbox.
 */
#include "calira.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(int ok, const char *text, int line) {
    if (ok)
        return;
    fprintf(stderr, "embed.c:%d: %s\n", line, text);
    failures++;
}

/* An allocator that refuses everything while `*(int *)refuse` is set. */
static void *allocate(void *refuse, void *block, size_t old, size_t size) {
    (void)old;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return *(int *)refuse ? NULL : realloc(block, size);
}

static void run(lua_State *L, const char *script) {
    int failed = luaL_dostring(L, script);
    if (failed) {
        fprintf(stderr, "embed: %s\n", luaL_tolstring(L, -1, NULL));
        failures++;
    }
    lua_settop(L, 0);
}

/* As a host does it; how often it was woken. */
static int loop(lua_State *L) {
    int left, wakes = 0;
    while ((left = calira_step(L, 0)) == 1) {
        double wait = calira_timeout(L);
        struct pollfd watched = {.fd = calira_pollfd(L), .events = POLLIN};
        CHECK(watched.fd >= 0);
        poll(&watched, 1, wait < 0 ? 30000 : (int)ceil(fmin(wait, 30) * 1000));
        wakes++;
    }
    CHECK(left == 0);
    return wakes;
}

static void before_it_is_loaded(lua_State *L) {
    CHECK(calira_pollfd(L) == -1);
    CHECK(calira_timeout(L) < 0);
    CHECK(calira_step(L, 0) == 0);
    CHECK(lua_gettop(L) == 0);
}

static void everything_from_memory(lua_State *L) {
    run(L, "package.path = ''\n"
           "calira = require 'calira'\n"
           "for _, name in ipairs{ 'calira.progress', 'calira.adapters.cqueues', 'calira.core' } do\n"
           "  assert(package.preload[name], name)\n"
           "end\n"
           "assert(not package.searchpath('calira', package.path))\n");
    lua_getglobal(L, "calira");
    lua_getfield(L, -1, "_VERSION");
    CHECK(strcmp(lua_tostring(L, -1), "calira " CALIRA_VERSION) == 0);
    lua_settop(L, 0);
}

static void the_loop(lua_State *L) {
    CHECK(calira_step(L, 0) == 0);
    CHECK(calira_timeout(L) < 0);
    run(L, "client = calira.new{ base_url = os.getenv 'CALIRA_SANDBOX' .. '/~id=embed;latency=10/v1', token = "
           "'sandbox-token' }\n"
           "count = 0\n"
           "calira.spawn(function()\n"
           "  for b in client:bookings{ provider = 102, per_page = 50, details = true, limit = 60 } do count = count + "
           "1 end\n"
           "end)\n");
    CHECK(calira_timeout(L) == 0);
    CHECK(loop(L) > 0);
    lua_getglobal(L, "count");
    CHECK(lua_tointeger(L, -1) == 60);
    lua_settop(L, 0);
    run(L, "calira.spawn(calira.sleep, 0.02)");
    CHECK(calira_step(L, 0) == 1); /* it sleeps now */
    CHECK(calira_timeout(L) > 0 && calira_timeout(L) < 1);
    CHECK(calira_step(L, 10) == 0);
    CHECK(calira_step(L, -1) == 0 && calira_step(L, NAN) == 0 && calira_step(L, INFINITY) == 0);
    CHECK(lua_gettop(L) == 0);
}

static void raise(lua_State *L, lua_Debug *at) {
    (void)at;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "from a hook");
}

static void nothing_raises(lua_State *L, int *refuse) {
    run(L, "calira.spawn(function() end)");
    lua_sethook(L, raise, LUA_MASKCALL, 0);
    CHECK(calira_step(L, 0) == -1);
    CHECK(lua_gettop(L) == 1 && strstr(lua_tostring(L, -1), "from a hook"));
    lua_settop(L, 0);
    CHECK(calira_step(L, 1) == 0); /* the task was not lost */

    run(L, "calira.spawn(calira.sleep, 0)");
    *refuse = 1;
    int stepped = calira_step(L, 0);
    int top = lua_gettop(L);
    calira_timeout(L);
    calira_pollfd(L);
    *refuse = 0;
    CHECK(stepped != -1 ? top == 0 : top == 1);
    CHECK(lua_gettop(L) == top);
    lua_settop(L, 0);
    loop(L);

    while (lua_checkstack(L, 1000))
        for (int i = 0; i < 1000; i++)
            lua_pushnil(L);
    while (lua_checkstack(L, 2)) /* one slot is the host's duty */
        lua_pushnil(L);
    top = lua_gettop(L);
    CHECK(calira_pollfd(L) == -1);
    CHECK(calira_timeout(L) < 0);
    CHECK(lua_gettop(L) == top);
    CHECK(calira_step(L, 0) == -1);
    CHECK(lua_gettop(L) == top + 1);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    CHECK(calira_pollfd(L) >= 0);
}

int main(void) {
    int refuse = 0;
    lua_State *L = lua_newstate(allocate, &refuse);
    if (!L)
        return EXIT_FAILURE;
    luaL_openlibs(L);
    calira_preload(L);
    CHECK(lua_gettop(L) == 0);
    before_it_is_loaded(L);
    everything_from_memory(L);
    the_loop(L);
    nothing_raises(L, &refuse);
    lua_close(L);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
