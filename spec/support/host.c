/* spec.host: what a host program can do and Lua cannot: poll a descriptor, fork, signal itself later, open a state. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int luaopen_spec_support_host(lua_State *L);

/* poll(descriptor, seconds): whether it became readable within that time. */
static int host_poll(lua_State *L) {
    struct pollfd watched = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
    int ms = (int)ceil(fmin(luaL_checknumber(L, 2), 1e6) * 1000);
    lua_pushboolean(L, poll(&watched, 1, ms) > 0);
    return 1;
}

/* now(): monotonic seconds. */
static int host_now(lua_State *L) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (double)t.tv_sec + (double)t.tv_nsec / 1e9);
    return 1;
}

/* fork(): 0 in the child, which ends with exit(); the child's number in the parent. */
static int host_fork(lua_State *L) {
    lua_pushinteger(L, fork());
    return 1;
}

/* exit(status): without closing the state or running what the C library runs at the end. */
static int host_exit(lua_State *L) {
    _exit((int)luaL_checkinteger(L, 1));
}

/* wait(child): its exit status; minus the number of the signal that ended it. */
static int host_wait(lua_State *L) {
    int status = 0;
    waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
    lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    return 1;
}

/* interrupt(seconds): sends this process a SIGINT after that time, as Ctrl-C does. */
static int host_interrupt(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    pid_t self = getpid();
    if (fork() == 0) {
        double whole = floor(seconds);
        struct timespec t = {(time_t)whole, (long)((seconds - whole) * 1e9)};
        nanosleep(&t, NULL);
        kill(self, SIGINT);
        _exit(0);
    }
    return 0;
}

static char last_words[300];

static void on_alarm(int signal) {
    (void)signal;
    _exit(write(STDERR_FILENO, last_words, strlen(last_words)) < 0 ? 2 : 1);
}

/* alarm(seconds, text): ends this process with the text on stderr after so many seconds, unless it is called again; 0: never. */
static int host_alarm(lua_State *L) {
    const char *text = luaL_optstring(L, 2, "");
    alarm(0);
    strncpy(last_words, text, sizeof last_words - 1);
    signal(SIGALRM, on_alarm);
    alarm((unsigned)luaL_checkinteger(L, 1));
    return 0;
}

/* state(script, argument): runs a script in a Lua state of its own, which is closed afterwards; its error message, or nil. */
static int host_state(lua_State *L) {
    const char *text = luaL_checkstring(L, 1), *argument = luaL_optstring(L, 2, "");
    lua_State *other = luaL_newstate();
    if (!other)
        return luaL_error(L, "not enough memory");
    luaL_openlibs(other);
    if (luaL_loadbufferx(other, text, strlen(text), "=script", "t") == LUA_OK)
        lua_pushstring(other, argument);
    int failed = lua_gettop(other) == 2 ? lua_pcall(other, 1, 0, 0) : LUA_ERRSYNTAX;
    if (failed)
        lua_pushstring(L, luaL_tolstring(other, -1, NULL));
    else
        lua_pushnil(L);
    lua_close(other);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_support_host(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"poll", host_poll},   {"now", host_now},     {"fork", host_fork},
        {"exit", host_exit},   {"wait", host_wait},   {"interrupt", host_interrupt},
        {"state", host_state}, {"alarm", host_alarm}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
