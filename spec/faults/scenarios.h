/* What the torture programs share: Lua states with an allocator that counts, and the scenarios of scenarios.lua in them. Each point gets
 * a state of its own, which is closed afterwards and has to have freed all. Runs inside the sandbox's environment.
 */
#ifndef CALIRA_SPEC_SCENARIOS_H
#define CALIRA_SPEC_SCENARIOS_H

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calira.h"

enum { MOST_SECONDS = 40 }; /* for one point, under a sanitizer on a busy machine */

/* What is tried now, for messages; the last is written by the alarm too. */
static const char *now_scenario = "start", *now_what = "";
static long now_point;

/* Where in the work the disturbance came, for messages. */
static char place[4000];

__attribute__((unused)) static void note_place(lua_State *L) {
    luaL_traceback(L, L, NULL, 0);
    snprintf(place, sizeof place, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
}

static void fail(const char *why) {
    printf("FAILED: %s, %s, point %ld: %s\n%s\n", now_scenario, now_what, now_point, why ? why : "?", place);
    exit(1);
}

static void hung(int signal) {
    (void)signal;
    char text[sizeof place + 300];
    int size = snprintf(text, sizeof text, "FAILED: %s, %s, point %ld: it hangs\n%s\n", now_scenario, now_what,
                        now_point, place);
    if (write(STDOUT_FILENO, text, size > 0 ? (size_t)size : 0) < 0)
        _exit(2);
    _exit(1);
}

/* ---- the allocator ---- */

static size_t lua_bytes;
static long lua_count; /* allocations so far */

/* Called before each allocation; false: it fails. */
static bool (*before_allocation)(void);

static void *count_allocations(void *data, void *block, size_t old, size_t size) {
    (void)data;
    if (!block)
        old = 0;
    if (size == 0) {
        lua_bytes -= old;
        free(block);
        return NULL;
    }
    if (size > old) {
        lua_count++;
        if (before_allocation && !before_allocation())
            return NULL;
    }
    void *made = realloc(block, size);
    if (made)
        lua_bytes += size - old;
    return made;
}

/* ---- states ---- */

static const char *sandbox, *authority;

static const char *message(lua_State *L) {
    return luaL_tolstring(L, -1, NULL);
}

/* A state with the library in it; the table of scenarios.lua in slot 1. */
static lua_State *open_state(void) {
    lua_State *L = lua_newstate(count_allocations, NULL);
    if (!L)
        fail("no state");
    luaL_openlibs(L);
    calira_preload(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "spec.faults.scenarios");
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        fail(message(L));
    return L;
}

static void close_state(lua_State *L) {
    lua_close(L);
    if (lua_bytes != 0)
        fail("Lua memory is left");
}

/* Calls a function of the table with the arguments on the top; pushes nothing. Fails where it raises. */
static void call(lua_State *L, const char *name, int arguments) {
    lua_getfield(L, 1, name);
    lua_insert(L, -1 - arguments);
    if (lua_pcall(L, arguments, 0, 0) != LUA_OK)
        fail(message(L));
}

static void prepare(lua_State *L, const char *wanted) {
    lua_pushstring(L, sandbox);
    lua_pushstring(L, authority);
    lua_pushstring(L, now_scenario);
    lua_pushstring(L, wanted);
    call(L, "prepare", 4);
}

/* Does the work in a protected call; its status, the error on the top. */
static int work(lua_State *L) {
    lua_getfield(L, 1, "work");
    return lua_pcall(L, 0, 0, 0);
}

/* What was noted has to be right; all of it, if `whole`. */
static void check(lua_State *L, bool whole) {
    lua_pushboolean(L, whole);
    call(L, "check", 1);
}

/* Whether the value on the top is an error object of the library's. */
__attribute__((unused)) static bool is_ours(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "calira");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "is_error");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 1);
    bool ours = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return ours;
}

/* ---- all scenarios ---- */

/* Runs the scenario undisturbed: the ids that it notes, to be freed. */
static char *baseline(void) {
    lua_State *L = open_state();
    now_what = "undisturbed";
    prepare(L, "");
    if (work(L) != LUA_OK)
        fail(message(L));
    lua_getfield(L, 1, "ids");
    lua_call(L, 0, 1);
    char *ids = strdup(lua_tostring(L, -1));
    call(L, "prove", (lua_settop(L, 1), 0));
    close_state(L);
    return ids;
}

/* The i-th text of an array of the table, to be freed; NULL at the end. */
static char *name_at(const char *array, int i) {
    lua_State *L = open_state();
    lua_getfield(L, 1, array);
    lua_rawgeti(L, -1, i);
    char *name = lua_isstring(L, -1) ? strdup(lua_tostring(L, -1)) : NULL;
    lua_settop(L, 1);
    lua_close(L);
    return name;
}

/* Calls `each` with every scenario (or the one that is named) and what it notes when it is left alone. */
static void each_scenario(const char *only, void (*each)(const char *wanted)) {
    char *name;
    signal(SIGALRM, hung);
    for (int i = 1; (name = name_at("order", i)) != NULL; i++) {
        if (!only || strcmp(name, only) == 0) {
            now_scenario = name;
            alarm(MOST_SECONDS);
            char *wanted = baseline();
            each(wanted);
            free(wanted);
        }
        free(name);
    }
    alarm(0);
}

static bool find_sandbox(void) {
    sandbox = getenv("CALIRA_SANDBOX");
    authority = getenv("CALIRA_SANDBOX_CA");
    return sandbox && authority;
}

#endif
