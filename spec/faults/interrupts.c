/* Interrupts: a hook raises a table at the n-th call event of a scenario, once, as a host does that stops a script. The very table has to
 * come out; reading on afterwards brings every record once, or an error. Prints how many points were tried.
 *
 *   interrupts [EVERY [SCENARIO]]    only every EVERY-th point (default 7; 1 tries them all)
 */
#include "scenarios.h"

static long fuse = -1; /* call events to go; negative: none */
static bool fired;
static const char the_error = 0; /* its address is the registry key of what the hook raises */
static long tried, told_otherwise;
static long every;

static void hook(lua_State *L, lua_Debug *event) {
    (void)event;
    if (fuse < 0 || fuse-- > 0)
        return;
    fired = true;
    note_place(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &the_error);
    lua_error(L);
}

static bool warned;

static void on_warning(void *data, const char *text, int more) {
    (void)data, (void)more;
    warned |= strstr(text, "the interrupt") != NULL;
}

/* Pushes the table that the hook raises. */
static void push_error(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "the interrupt");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &the_error);
}

/* Whether the table came out: itself, as the cause of the error that a token function's calls get, or as the warning that a trace
 * function's error is. */
static bool came_out(lua_State *L, int status) {
    lua_settop(L, 2); /* the table of the scenarios; the error */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &the_error);
    if (status != LUA_OK && lua_rawequal(L, -1, -2))
        return true;
    told_otherwise++;
    if (status != LUA_OK && lua_istable(L, -2)) {
        lua_getfield(L, -2, "cause");
        if (lua_rawequal(L, -1, -2))
            return true;
    }
    return warned;
}

/* One point. False where the scenario has fewer call events. */
static bool point(const char *wanted) {
    alarm(MOST_SECONDS);
    lua_State *L = open_state();
    lua_setwarnf(L, on_warning, NULL);
    prepare(L, wanted);
    push_error(L);
    lua_settop(L, 1);
    fired = warned = false;
    fuse = now_point;
    lua_sethook(L, hook, LUA_MASKCALL, 0);
    int status = work(L);
    lua_sethook(L, NULL, 0, 0);
    fuse = -1;
    if (status != LUA_OK && !fired)
        fail(message(L));
    if (fired && !came_out(L, status))
        fail(status == LUA_OK ? "the table that the hook raised was swallowed" : message(L));
    lua_settop(L, 1 + (status != LUA_OK));
    if (status == LUA_OK)
        check(L, true);
    else
        call(L, "read_on", 1);
    call(L, "prove", 0);
    close_state(L);
    return fired;
}

static void points(const char *wanted) {
    long before = tried;
    now_what = "interrupts";
    for (now_point = 0; point(wanted); now_point += every)
        tried++;
    printf("interrupts, %s: %ld points tried\n", now_scenario, tried - before);
    fflush(stdout);
}

int main(int argc, char **argv) {
    every = argc > 1 ? atol(argv[1]) : 7;
    if (!find_sandbox() || every < 1) {
        fprintf(stderr, "usage: sh spec/one.sh build/test/spec/faults_interrupts_test [EVERY [SCENARIO]]\n");
        return 2;
    }
    each_scenario(argc > 2 ? argv[2] : NULL, points);
    printf("interrupts: %ld points tried, all passed; %ld were told as a cause or a warning\n", tried, told_otherwise);
    return 0;
}
