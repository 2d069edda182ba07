/* Hostile finalizers: the collector runs one at the n-th allocation of a scenario, which does one of the acts of scenarios.lua: closes the
 * list or the client, cancels a request, steps the engine, reads the list, … The scenario ends with its records all the same, or with
 * an error that says what the finalizer did. Prints how many points were tried: places where a collector step runs a finalizer.
 *
 *   finalizers [EVERY [SCENARIO [ACT]]]    only every EVERY-th allocation (default 211; 1 tries all places, for minutes)
 */
#include "scenarios.h"

/* The collector is stopped while the work goes on. At the n-th allocation it is restarted so that the next step, which comes at the next
 * place where Lua looks after its debt, is a whole cycle, finalizers included. To restart it from inside an allocator only sets two
 * numbers, in every Lua 5.4. */
static enum { IDLE, COUNTING, DUE, RAN } stage;
static lua_State *state;
static long began, ran_at;
static long tried, every;
static const char *only_act;

static bool watch(void) {
    if (stage == COUNTING && lua_count - began > now_point) {
        stage = DUE;
        lua_gc(state, LUA_GCRESTART);
    } else if (stage == RAN && lua_gc(state, LUA_GCSTOP) == 0) { /* inside the finalizer it cannot be told anything */
        stage = IDLE;
    }
    return true;
}

static int ran(lua_State *L) {
    if (stage == DUE) {
        ran_at = lua_count - began;
        note_place(L); /* which allocates */
        stage = RAN;
    }
    return 0;
}

static void arm(lua_State *L) {
    lua_pushcfunction(L, ran);
    lua_setfield(L, 1, "ran");
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCSTOP);
    lua_gc(L, LUA_GCINC, 1, 1000, 100);
    lua_pushstring(L, now_what);
    call(L, "arm", 1);
    state = L;
    began = lua_count;
    stage = COUNTING;
}

static void disarm(lua_State *L) {
    stage = IDLE;
    lua_gc(L, LUA_GCINC, 200, 100, 13);
    lua_gc(L, LUA_GCRESTART);
}

/* Whether the work may end with the error on the top, after what the finalizer did. */
static bool may(lua_State *L) {
    int err = lua_gettop(L);
    bool right = is_ours(L) && lua_getfield(L, 1, "may") == LUA_TTABLE && lua_getfield(L, -1, now_what) == LUA_TTABLE &&
                 lua_getfield(L, err, "kind") == LUA_TSTRING && lua_gettable(L, -2) == LUA_TBOOLEAN;
    lua_settop(L, err);
    return right;
}

/* One point. False where the work was over before its finalizer ran. */
static bool point(const char *wanted) {
    alarm(MOST_SECONDS);
    lua_State *L = open_state();
    prepare(L, wanted);
    arm(L);
    int status = work(L);
    bool reached = stage != COUNTING && stage != DUE;
    disarm(L);
    if (status != LUA_OK && (!reached || !may(L)))
        fail(message(L));
    lua_settop(L, 1);
    check(L, status == LUA_OK);
    call(L, "prove", 0);
    close_state(L);
    return reached;
}

static void points(const char *wanted) {
    long before = tried;
    char *act;
    for (int i = 1; (act = name_at("act_names", i)) != NULL; i++) {
        now_what = act;
        now_point = 0;
        if (!only_act || strcmp(act, only_act) == 0)
            while (point(wanted)) {
                tried++;
                now_point = every == 1 ? ran_at : now_point + every;
            }
        free(act);
    }
    printf("finalizers, %s: %ld points tried\n", now_scenario, tried - before);
    fflush(stdout);
}

int main(int argc, char **argv) {
    every = argc > 1 ? atol(argv[1]) : 211;
    only_act = argc > 3 ? argv[3] : NULL;
    if (!find_sandbox() || every < 1) {
        fprintf(stderr, "usage: sh spec/one.sh build/test/spec/faults_finalizers_test [EVERY [SCENARIO [ACT]]]\n");
        return 2;
    }
    before_allocation = watch;
    each_scenario(argc > 2 ? argv[2] : NULL, points);
    printf("finalizers: %ld points tried, all passed\n", tried);
    return 0;
}
