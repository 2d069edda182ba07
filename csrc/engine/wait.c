#include "engine/wait.h"

#include <lauxlib.h>
#include <math.h>

#include "base/error.h"

#define WAITER "calira.waiter"
#define EVENT "calira.event"

enum { INTERRUPT_NS = 250000000 }; /* Ctrl-C sets a hook, which runs when Lua does: look that often */

/* Its user value is the function that wakes who waits: see core.park. */
struct waiter {
    struct link link; /* in its condition, then in loop->fired until it was told, then in none */
    struct loop *loop;
    bool fired;
};

/* Registry: weak table of coroutines that the library started; what the Lua layer installed; waiters by address. */
static const char owned_key, dispatch_key, strand_key, enter_key, leave_key, host_key, waiters_key;
static const char wait_token; /* its address is what a waiting coroutine yields first */

void cond_init(struct cond *c) {
    link_init(&c->waiters);
}

void cond_signal(struct cond *c) {
    struct link *l;
    while ((l = link_take(&c->waiters)) != NULL) {
        struct waiter *w = link_owner(l, struct waiter, link);
        w->fired = true;
        link_put(&w->loop->fired, l);
        loop_alarm(w->loop);
    }
}

/* Pushes a new waiter, in no list yet: what it waits for may have come true while this allocated. */
static struct waiter *waiter_new(lua_State *L, struct loop *lp) {
    struct waiter *w = lua_newuserdatauv(L, sizeof *w, 1);
    *w = (struct waiter){.loop = lp};
    link_init(&w->link);
    luaL_setmetatable(L, WAITER);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &waiters_key);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, w);
    lua_pop(L, 1);
    return w;
}

/* ---- the three ways to wait ---- */

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* Gives the hook that Ctrl-C sets a chance to raise. lua.c hooks the main thread only; where that has one while a
 * coroutine runs, it is let run there and what it raises is raised here. */
static void interrupts(lua_State *L, struct loop *lp) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    if (lua_gethook(L) || lua_gethook(main))
        loop_alarm(lp); /* should it raise, control is a host's again */
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
    if (main == L || !lua_gethook(main) || !lua_checkstack(main, 2))
        return;
    lua_pushcfunction(main, nothing);
    if (lua_pcall(main, 0, 0, 0) != LUA_OK) {
        lua_xmove(main, L, 1);
        lua_error(L);
    }
}

/* Calls the scheduler, which wakes whose waiter fired and resumes tasks where that is allowed: not inside a task, unless
 * `stuck`: nothing else can end the wait. True where it may resume more at once. */
static bool dispatch(lua_State *L, struct loop *lp, bool stuck) {
    bool more = false;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &dispatch_key) == LUA_TFUNCTION) {
        lua_pushboolean(L, stuck);
        lua_call(L, 1, 1);
        more = lua_toboolean(L, -1);
    } else {
        while (link_take(&lp->fired)) /* without a scheduler nobody is to be woken */
            continue;
    }
    lua_pop(L, 1);
    return more;
}

bool wait_notify(lua_State *L, struct loop *lp) {
    luaL_checkstack(L, 8, "calira");
    struct link *l;
    while ((l = link_take(&lp->notifiers)) != NULL) {
        struct notifier *a = link_owner(l, struct notifier, link);
        a->notify(L, a);
    }
    bool more = (!link_alone(&lp->fired) || lp->tasks) && dispatch(L, lp, false);
    /* what a task asked for was put on the wire by a turn of its own, in which others' waits may have ended */
    return more || !link_alone(&lp->fired) || !link_alone(&lp->notifiers);
}

static void block(lua_State *L, struct waiter *w) {
    struct loop *lp = w->loop;
    while (!w->fired) {
        bool more = wait_notify(L, lp);
        if (!more && !w->fired && loop_stuck(lp))
            more = dispatch(L, lp, true);
        if (w->fired)
            break;
        if (!more && !loop_busy(lp))
            error_throw(L, "argument",
                        "this wait could never end: nothing is under way, so what it waits for waits for it");
        loop_drive(lp, more ? 0 : INTERRUPT_NS);
        interrupts(L, lp);
    }
    wait_notify(L, lp);
    loop_alarm(lp);
}

/* Whether the library started this coroutine, and so may yield from it. */
static bool owned(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &owned_key);
    lua_pushthread(L);
    bool yes = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return yes;
}

/* Pushes the function by which a host's loop waits in this coroutine; false, pushing nothing, where there is none. */
static bool hosted(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key) == LUA_TFUNCTION) {
        lua_call(L, 0, 1);
        if (lua_isfunction(L, -1))
            return true;
    }
    lua_pop(L, 1);
    return false;
}

/* Waits for the waiter on the top of the stack. */
static void await(lua_State *L, struct waiter *w, lua_KContext ctx, lua_KFunction k) {
    if (lua_isyieldable(L)) {
        if (owned(L)) {
            lua_pushlightuserdata(L, (void *)(uintptr_t)&wait_token);
            lua_pushvalue(L, -2); /* the original stays below: the stack of the coroutine owns the waiter */
            lua_yieldk(L, 2, ctx, k);
        }
        if (hosted(L)) {
            lua_pushvalue(L, -2);
            lua_callk(L, 1, 0, ctx, k);
            return;
        }
    }
    block(L, w);
}

void wait_until(lua_State *L, struct loop *lp, struct cond *c, wait_ready *ready, const void *what, lua_KContext ctx,
                lua_KFunction k) {
    int top = lua_gettop(L);
    while (!ready(what)) {
        luaL_checkstack(L, 8, "calira");
        struct waiter *w = waiter_new(L, lp);
        loop_check_open(L, lp); /* a finalizer of the user's that runs after the engine's */
        if (!ready(what)) {
            link_put(&c->waiters, &w->link);
            await(L, w, ctx, k);
            link_drop(&w->link);
        }
        lua_settop(L, top);
    }
}

/* ---- for the Lua layer: waiters, sleeps and events ---- */

/* core.await(waiter): waits until it has fired. What a generator does with a wait of the coroutine inside it. */
static int f_await_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct waiter *w = luaL_checkudata(L, 1, WAITER);
    lua_settop(L, 1);
    while (!w->fired)
        await(L, w, ctx, f_await_k);
    return 0;
}

static int f_await(lua_State *L) {
    return f_await_k(L, LUA_OK, 0);
}

/* core.park(waiter, wake): `wake` is called once the waiter has fired, at once where it has already. It may be called more
 * than once, and must not wait. */
static int f_park(lua_State *L) {
    struct waiter *w = luaL_checkudata(L, 1, WAITER);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, 1);
    if (w->fired)
        lua_call(L, 0, 0);
    return 0;
}

/* core.wake(): calls the wake function of each waiter that fired. One that raises (an interrupt) is called again later. A
 * waiter without one is not parked yet, and is woken by core.park. */
static int f_wake(lua_State *L) {
    struct loop *lp = loop_of(L);
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &waiters_key);
    while (!link_alone(&lp->fired)) {
        struct waiter *w = link_owner(lp->fired.next, struct waiter, link);
        if (lua_rawgetp(L, 1, w) != LUA_TNIL && lua_getiuservalue(L, 2, 1) == LUA_TFUNCTION)
            lua_call(L, 0, 0);
        link_drop(&w->link);
        lua_settop(L, 1);
    }
    return 0;
}

/* waiter:close(): it is not waited for any more. For hosts that close whatever they waited for. */
static int waiter_close(lua_State *L) {
    struct waiter *w = luaL_checkudata(L, 1, WAITER);
    link_drop(&w->link);
    return 0;
}

/* waiter:fire(): who waits looks again, though what it waited for has gone. */
static int waiter_fire(lua_State *L) {
    struct waiter *w = luaL_checkudata(L, 1, WAITER);
    if (w->fired || w->loop->closed)
        return 0;
    w->fired = true;
    link_drop(&w->link);
    link_put(&w->loop->fired, &w->link);
    loop_alarm(w->loop);
    return 0;
}

/* An event: set once or many times; wait() returns at once when it was set. A sleep: an event that a timer sets. */
struct event {
    struct cond cond;
    struct timer timer;
    struct loop *loop;
    bool set;
};

static void event_due(struct timer *t) {
    struct event *e = link_owner(t, struct event, timer);
    e->set = true;
    cond_signal(&e->cond);
}

static struct event *event_new(lua_State *L) {
    struct loop *lp = loop_of(L);
    loop_check_open(L, lp);
    struct event *e = lua_newuserdatauv(L, sizeof *e, 0);
    *e = (struct event){.loop = lp, .timer = {.fire = event_due}};
    cond_init(&e->cond);
    luaL_setmetatable(L, EVENT);
    return e;
}

/* A sleep that is left before its time leaves no deadline behind. */
static int event_leave(lua_State *L) {
    struct event *e = luaL_checkudata(L, 1, EVENT);
    loop_timer_drop(e->loop, &e->timer);
    return 0;
}

static int event_gc(lua_State *L) {
    struct event *e = luaL_checkudata(L, 1, EVENT);
    loop_timer_drop(e->loop, &e->timer);
    cond_signal(&e->cond);
    return 0;
}

static int event_set(lua_State *L) {
    struct event *e = luaL_checkudata(L, 1, EVENT);
    e->set = true;
    cond_signal(&e->cond);
    return 0;
}

static bool event_is_set(const void *what) {
    return ((const struct event *)what)->set;
}

static int event_wait_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct event *e = luaL_checkudata(L, 1, EVENT);
    lua_settop(L, 1);
    wait_until(L, e->loop, &e->cond, event_is_set, e, ctx, event_wait_k);
    return 0;
}

static int event_wait(lua_State *L) {
    return event_wait_k(L, LUA_OK, 0);
}

static int f_event(lua_State *L) {
    event_new(L);
    return 1;
}

/* core.sleep(seconds): waits that long, by the rule of every wait. */
static int f_sleep(lua_State *L) {
    double seconds = lua_isnumber(L, 1) ? lua_tonumber(L, 1) : -1;
    if (lua_type(L, 1) != LUA_TNUMBER || !(seconds >= 0))
        error_throw(L, "argument", "sleep takes a number of seconds, 0 or more (got %s)", luaL_tolstring(L, 1, NULL));
    lua_settop(L, 0);
    struct event *e = event_new(L);
    loop_timer_arm(e->loop, &e->timer, timer_now() + timer_span(seconds));
    lua_toclose(L, 1);
    return event_wait_k(L, LUA_OK, 0);
}

/* core.own(f): a coroutine of f, which the library may yield from. */
static int f_own(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &owned_key);
    lua_pushvalue(L, 2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_settop(L, 2);
    return 1;
}

void wait_push_strand(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &strand_key) == LUA_TFUNCTION)
        lua_call(L, 0, 1);
}

void wait_enter_strand(lua_State *L, const char *message) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &enter_key) != LUA_TFUNCTION)
        error_throw(L, "argument", "%s", message); /* without a scheduler nobody else could be in it */
    lua_insert(L, -2);
    lua_call(L, 1, 2);
    if (lua_toboolean(L, -2))
        error_throw(L, "argument", "%s", message);
    lua_remove(L, -2);
}

void wait_leave_strand(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &leave_key);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
}

/* core.dispatcher(dispatch, strand, enter, leave): dispatch(stuck) wakes who fired and resumes tasks; strand() is what runs now,
 * for others; enter(list): whether who is in that list waits for what runs now, and what that waited for until now, which leave()
 * puts back. False, and nothing is done, where that was told before. core.host(f): f() gives the wait function of a host's coroutine, or nil. */
static int f_dispatcher(lua_State *L) {
    static const char *const keys[] = {&dispatch_key, &strand_key, &enter_key, &leave_key};
    for (int i = 0; i < 4; i++)
        luaL_checktype(L, i + 1, LUA_TFUNCTION);
    lua_settop(L, 4);
    bool first = lua_rawgetp(L, LUA_REGISTRYINDEX, &dispatch_key) == LUA_TNIL;
    for (int i = 0; first && i < 4; i++) {
        lua_pushvalue(L, i + 1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, keys[i]);
    }
    lua_pushboolean(L, first);
    return 1;
}

static int f_host(lua_State *L) {
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
    return 0;
}

/* core.yields(): whether a wait here would let others go on (yield, or wait as a host's loop does) instead of blocking. */
static int f_yields(lua_State *L) {
    lua_pushboolean(L, lua_isyieldable(L) && (owned(L) || hosted(L)));
    return 1;
}

/* core.tasks(flag): whether the scheduler has tasks to resume. */
static int f_tasks(lua_State *L) {
    struct loop *lp = loop_of(L);
    bool tasks = lua_toboolean(L, 1);
    if (lp->tasks != tasks) {
        lp->tasks = tasks;
        loop_alarm(lp);
    }
    return 0;
}

/* ---- for hosts ---- */

static int f_pollfd(lua_State *L) {
    struct loop *lp = loop_of(L);
    lp->polled = true;
    loop_alarm(lp);
    lua_pushinteger(L, lp->poller.fd);
    return 1;
}

static int f_events(lua_State *L) {
    lua_pushliteral(L, "r");
    return 1;
}

static int f_timeout(lua_State *L) {
    struct loop *lp = loop_of(L);
    int64_t ns = loop_next(lp);
    loop_alarm(lp);
    if (ns < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (double)ns / (double)NS_PER_SECOND);
    return 1;
}

/* core.step(seconds): does what is due, waiting at most that long; whether anything is left. */
static int f_step(lua_State *L) {
    double seconds = luaL_optnumber(L, 1, 0);
    struct loop *lp = loop_of(L);
    bool more = wait_notify(L, lp) || (loop_stuck(lp) && dispatch(L, lp, true));
    loop_turn(lp, more || !loop_busy(lp) ? 0 : timer_span(seconds));
    wait_notify(L, lp);
    loop_alarm(lp);
    lua_pushboolean(L, loop_busy(lp));
    return 1;
}

static int f_now(lua_State *L) {
    lua_pushnumber(L, (double)timer_now() / (double)NS_PER_SECOND);
    return 1;
}

static void new_weak(lua_State *L, const void *key, const char *mode) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void wait_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"await", f_await}, {"park", f_park},       {"wake", f_wake},     {"event", f_event},   {"sleep", f_sleep},
        {"own", f_own},     {"tasks", f_tasks},     {"host", f_host},     {"step", f_step},     {"pollfd", f_pollfd},
        {"now", f_now},     {"timeout", f_timeout}, {"events", f_events}, {"yields", f_yields}, {NULL, NULL},
    };
    static const luaL_Reg waiter_methods[] = {{"close", waiter_close}, {"fire", waiter_fire}, {NULL, NULL}};
    static const luaL_Reg event_methods[] = {{"set", event_set}, {"wait", event_wait}, {NULL, NULL}};
    new_weak(L, &owned_key, "k");
    new_weak(L, &waiters_key, "v");
    luaL_newmetatable(L, WAITER);
    lua_pushcfunction(L, waiter_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, waiter_methods);
    lua_setfield(L, -2, "__index");
    luaL_newmetatable(L, EVENT);
    lua_pushcfunction(L, event_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, event_leave);
    lua_setfield(L, -2, "__close");
    luaL_newlib(L, event_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    luaL_setfuncs(L, functions, 0);
    lua_pushcfunction(L, f_dispatcher);
    lua_setfield(L, -2, "dispatcher");
    lua_pushlightuserdata(L, (void *)(uintptr_t)&wait_token);
    lua_setfield(L, -2, "WAIT");
}
