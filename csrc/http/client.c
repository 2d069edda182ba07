#include "http/client.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/process.h"
#include "http/trace.h"

#define ADDRESS "calira.address"

/* Registry: clients by the address of their queue's notifier; what the Lua layer does when a token or a permit is wanted;
 * how it tells whether the running task is what a client waits for. */
static const char clients_key, supply_key, supplying_key;

struct client *client_check(lua_State *L, int index) {
    struct client *c = luaL_testudata(L, index, CLIENT);
    if (!c)
        error_throw(L, "argument", "a client is expected (got %s)", luaL_typename(L, index));
    loop_check_fork(c->queue.loop);
    loop_check_open(L, c->queue.loop);
    if (c->queue.closed)
        error_throw(L, "closed", "the client is closed");
    return c;
}

/* ---- what it tells Lua between turns ---- */

static void warn_of(lua_State *L, const char *what) {
    const char *text = luaL_tolstring(L, -1, NULL);
    lua_warning(L, what, 1);
    lua_warning(L, text, 0);
    lua_pop(L, 2);
}

/* Calls the trace function, in slot 2 of a protected call of its own, with each event. */
static int tell_events(lua_State *L) {
    struct client *c = lua_touserdata(L, 1);
    lua_getiuservalue(L, 1, CLIENT_TRACE);
    while (trace_take(L, c->queue.trace)) {
        lua_pushvalue(L, 2);
        lua_insert(L, -2);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            warn_of(L, "calira: an error in a trace function: ");
    }
    return 0;
}

void client_tell(lua_State *L, int index) {
    struct client *c = lua_touserdata(L, index);
    if (!trace_pending(c->queue.trace))
        return;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, "calira");
    lua_pushcfunction(L, tell_events);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        warn_of(L, "calira: ");
}

/* (client, what, rejected token or nil): has the Lua layer start to fetch a token, or to ask the limiter. */
static int tell_supply(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &supply_key);
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
}

/* What is wanted is asked for once. Where that fails, what waits for it fails too, and what comes later asks again. */
static void supply(lua_State *L, struct queue *n, int client, enum source_state *state, const char *what,
                   bool rejected) {
    if (*state != SOURCE_WANTED)
        return;
    *state = SOURCE_ASKED;
    lua_pushcfunction(L, tell_supply);
    lua_pushvalue(L, client);
    lua_pushlightuserdata(L, (void *)(uintptr_t)what);
    if (rejected)
        lua_getiuservalue(L, client, CLIENT_TOKEN);
    else
        lua_pushnil(L);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK)
        return;
    lua_pushnil(L);
    lua_setiuservalue(L, client, CLIENT_TOKEN_ERROR);
    queue_token_failed(n);
    lua_error(L); /* no memory, or an interrupt: not ours to keep */
}

/* The lightuserdata that names what is wanted; its address is all that counts. */
static const char WANT_TOKEN[] = "token", WANT_PERMIT[] = "permit";

static void notify(lua_State *L, struct notifier *a) {
    struct queue *n = link_owner(a, struct queue, notifiers);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clients_key);
    if (lua_rawgetp(L, -1, a) == LUA_TUSERDATA) {
        int client = lua_gettop(L);
        /* first, since nobody asks twice: telling can raise (an interrupt), and what is untold then is told another time */
        supply(L, n, client, &n->token_state, WANT_TOKEN, n->token_rejected);
        supply(L, n, client, &n->permit_state, WANT_PERMIT, false);
        client_tell(L, client);
    }
    lua_pop(L, 2);
}

/* ---- making one ---- */

static double number(lua_State *L, const char *name, double otherwise) {
    lua_getfield(L, 1, name);
    double n = luaL_optnumber(L, -1, otherwise);
    lua_pop(L, 1);
    return n;
}

static bool flag(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

/* The string stays in the options table, which the client keeps. */
static const char *string(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    const char *s = lua_tostring(L, -1);
    lua_pop(L, 1);
    return s;
}

static void read_options(lua_State *L, struct client *c) {
    struct queue *n = &c->queue;
    double max_body = number(L, "max_body", 64.0 * 1024 * 1024);
    c->settings = (struct settings){
        .timeout = number(L, "timeout", 60),
        .connect_timeout = number(L, "connect_timeout", 10),
        .max_body = max_body < (double)(SIZE_MAX / 2) ? (size_t)max_body : SIZE_MAX / 2,
        .user_agent = string(L, "user_agent"),
        .proxy = string(L, "proxy"),
        .ca_file = string(L, "ca_file"),
        .ca_path = string(L, "ca_path"),
        .insecure = flag(L, "insecure"),
    };
    n->retry = (struct retry_policy){
        .retries = (int)number(L, "retries", 4),
        .base = number(L, "backoff_base", 0.5),
        .max = number(L, "backoff_max", 30),
        .max_wait = number(L, "max_wait", 60),
    };
    n->deadline = number(L, "deadline", 0);
    const struct throttle_config limits = {
        .max_in_flight = (int)number(L, "max_in_flight", 8),
        .rate = number(L, "rate", 0),
        .max_wait = n->retry.max_wait,
        .adaptive = flag(L, "adaptive"),
        .shared = flag(L, "limits"),
        .backoff = n->retry.base,
    };
    throttle_init(&n->throttle, &limits);
    n->token_from_lua = flag(L, "token_from_lua");
    n->limited = flag(L, "limiter");
}

static void open_base(lua_State *L, struct client *c) {
    const char *text = string(L, "base_url");
    char *whole = NULL;
    const char *wrong = text ? url_open(&c->base, text) : "it is missing";
    if (!wrong && curl_url_get(c->base.base, CURLUPART_URL, &whole, 0) != CURLUE_OK)
        wrong = "out of memory";
    if (wrong)
        error_throw(L, "argument", "base_url cannot be used: %s", wrong);
    size_t size = strlen(whole);
    c->queue.base_size = size && whole[size - 1] == '/' ? size - 1 : size;
    curl_free(whole);
    const char *proxy = c->settings.proxy, *unfit = proxy && *proxy ? url_check_proxy(proxy) : NULL;
    if (unfit) /* not shown: it may hold a password */
        error_throw(L, "argument", "option proxy cannot be used: %s", unfit);
    c->queue.https = c->base.https;
    c->queue.loopback = c->base.loopback;
    bool secret = string(L, "token") || c->queue.token_from_lua || flag(L, "carries_secrets");
    if (!c->base.https && !c->base.loopback && !flag(L, "allow_http") && secret)
        error_throw(L, "argument",
                    "a token is not sent over plain http to a host other than this one: use https, or set "
                    "allow_http = true if you must");
}

static void release(struct resource *resource) {
    struct client *c = link_owner(resource, struct client, resource);
    queue_close(&c->queue);
    link_drop(&c->queue.notifiers.link);
    trace_free(c->queue.trace);
    c->queue.trace = NULL;
    url_close(&c->base);
}

/* core.client(options): a client. The options are checked and complete: see lua/calira/options.lua. Beyond those of a user:
 * carries_secrets (no token, but what it sends needs the same care). */
static int f_client(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct loop *lp = loop_of(L);
    loop_check_open(L, lp);
    process_start_curl(L);
    struct client *c = lua_newuserdatauv(L, sizeof *c, CLIENT_VALUES);
    *c = (struct client){.resource = {.release = release}};
    link_init(&c->resource.link);
    queue_init(&c->queue, lp, &c->settings);
    luaL_setmetatable(L, CLIENT);
    loop_own(lp, &c->resource);
    c->queue.notifiers.notify = notify;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, CLIENT_OPTIONS);
    read_options(L, c);
    open_base(L, c);
    if (lua_getfield(L, 1, "trace") == LUA_TFUNCTION) {
        lua_setiuservalue(L, 2, CLIENT_TRACE);
        c->queue.trace = trace_new();
    }
    if (lua_getfield(L, 1, "token") == LUA_TSTRING) {
        const char *token = lua_tostring(L, -1);
        lua_setiuservalue(L, 2, CLIENT_TOKEN);
        if (!queue_token(&c->queue, token, -1))
            luaL_error(L, "not enough memory");
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clients_key);
    lua_pushvalue(L, 2);
    lua_rawsetp(L, -2, &c->queue.notifiers);
    lua_settop(L, 2);
    return 1;
}

/* The client that a method was called on, closed or not. */
static struct client *own(lua_State *L, const char *method) {
    struct client *c = luaL_testudata(L, 1, CLIENT);
    if (!c)
        error_throw(L, "argument", "on a client, methods take a colon: client:%s()", method);
    return c;
}

static int client_gc(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    loop_check_fork(c->queue.loop);
    link_drop(&c->resource.link);
    release(&c->resource);
    return 0;
}

/* client:close(): cancels every call of it; later calls raise `closed`. */
static int client_close(lua_State *L) {
    struct client *c = own(L, "close");
    loop_check_fork(c->queue.loop);
    queue_close(&c->queue);
    return 0;
}

/* client:stats(): a table of counters since it was made. CONTRACT section 2. */
static int client_stats(lua_State *L) {
    struct client *c = own(L, "stats");
    const struct queue *n = &c->queue;
    const struct {
        const char *name;
        int64_t value;
    } counters[] = {
        {"calls", n->stats.calls}, {"retries", n->stats.retries},         {"refreshes", n->stats.refreshes},
        {"bytes", n->stats.bytes}, {"connections", n->stats.connections},
    };
    lua_createtable(L, 0, 9);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        lua_pushinteger(L, counters[i].value);
        lua_setfield(L, -2, counters[i].name);
    }
    lua_pushnumber(L, queue_waited(n));
    lua_setfield(L, -2, "waited");
    lua_pushinteger(L, n->sent);
    lua_setfield(L, -2, "in_flight");
    lua_pushinteger(L, queue_limit(n));
    lua_setfield(L, -2, "limit");
    if (queue_rate(n) > 0) {
        lua_pushnumber(L, queue_rate(n));
        lua_setfield(L, -2, "rate");
    }
    return 1;
}

static int client_tostring(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    lua_getiuservalue(L, 1, CLIENT_OPTIONS);
    lua_getfield(L, -1, "base_url");
    lua_pushfstring(L, "calira.client: %s%s", lua_tostring(L, -1), c->queue.closed ? " (closed)" : "");
    return 1;
}

/* ---- for the Lua layer ---- */

/* core.options(client): the checked options it was made with. */
static int f_options(lua_State *L) {
    client_check(L, 1);
    lua_getiuservalue(L, 1, CLIENT_OPTIONS);
    return 1;
}

/* core.set_token(client, token [, expires_in]): what a token function gave; calls that wait for it go. */
static int f_set_token(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    const char *token = luaL_checkstring(L, 2);
    double expires_in = luaL_optnumber(L, 3, -1);
    loop_check_fork(c->queue.loop);
    if (lua_getiuservalue(L, 1, CLIENT_TOKEN) != LUA_TSTRING || !lua_rawequal(L, -1, 2))
        lua_setiuservalue(L, 1, CLIENT_TOKEN_BEFORE); /* late answers may echo it */
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, CLIENT_TOKEN);
    if (!c->queue.closed && !queue_token(&c->queue, token, expires_in))
        luaL_error(L, "not enough memory");
    c->queue.stats.refreshes += lua_toboolean(L, 4);
    return 0;
}

/* core.fail_token(client, error): no token, or no permit, could be had; calls that need one raise this error. */
static int f_fail_token(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    lua_settop(L, 2);
    loop_check_fork(c->queue.loop);
    lua_setiuservalue(L, 1, CLIENT_TOKEN_ERROR);
    queue_token_failed(&c->queue);
    return 0;
}

/* core.permit(client): its limiter allows one more call. */
static int f_permit(lua_State *L) {
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    loop_check_fork(c->queue.loop);
    queue_permit(&c->queue);
    return 0;
}

/* core.on_supply(f, supplying): f(client, what, rejected token or nil), where `what` is core.TOKEN or core.PERMIT, has to see
 * to it that set_token, permit or fail_token is called. supplying(client): whether the running task is what it does. */
static int f_on_supply(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &supplying_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &supply_key);
    return 0;
}

/* core.trace(client, event): an event of the Lua layer, told at once. An error in the function becomes a warning. */
static int f_trace(lua_State *L) {
    luaL_checkudata(L, 1, CLIENT);
    lua_settop(L, 2);
    client_tell(L, 1); /* what happened before it */
    if (lua_getiuservalue(L, 1, CLIENT_TRACE) != LUA_TFUNCTION)
        return 0;
    lua_insert(L, 2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        warn_of(L, "calira: an error in a trace function: ");
    return 0;
}

/* core.activity(client): a number that changes whenever a call of the client ends. core.await_activity(client, number): waits
 * until it is another one. */
static int f_activity(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)client_check(L, 1)->queue.ended);
    return 1;
}

struct activity {
    const struct queue *queue;
    uint64_t seen;
};

static bool has_activity(const void *what) {
    const struct activity *a = what;
    return a->queue->ended != a->seen || a->queue->closed;
}

static int f_await_activity_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    lua_settop(L, 2);
    struct client *c = client_check(L, 1);
    struct activity a = {&c->queue, (uint64_t)lua_tointeger(L, 2)};
    wait_until(L, c->queue.loop, &c->queue.activity, has_activity, &a, ctx, f_await_activity_k);
    return 0;
}

static int f_await_activity(lua_State *L) {
    luaL_checkinteger(L, 2);
    return f_await_activity_k(L, LUA_OK, 0);
}

/* core.is_client(value) */
static int f_is_client(lua_State *L) {
    lua_pushboolean(L, luaL_testudata(L, 1, CLIENT) != NULL);
    return 1;
}

/* ---- addresses ---- */

static void check_path(lua_State *L, const char *path, size_t size) {
    const char *wrong = url_check_path(path, size);
    if (wrong)
        error_throw(L, "argument", "the path %s cannot be asked for: %s", path, wrong);
}

/* core.check_path(path): raises `argument` for one that may not be asked for. */
static int f_check_path(lua_State *L) {
    size_t size;
    const char *path = luaL_checklstring(L, 1, &size);
    check_path(L, path, size);
    return 0;
}

static int address_gc(lua_State *L) {
    struct address *a = lua_touserdata(L, 1);
    curl_free(a->url);
    a->url = NULL;
    return 0;
}

/* Raises where the running task is what fetches the token, or is the limiter, that the call would wait for. */
static void check_waits_for_itself(lua_State *L, struct client *client) {
    if (client->queue.token_state != SOURCE_ASKED && client->queue.permit_state != SOURCE_ASKED)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &supplying_key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &clients_key);
    lua_rawgetp(L, -1, &client->queue.notifiers);
    lua_remove(L, -2);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, -1))
        error_throw(
            L, "argument",
            "the token function or the limiter of a client may not call the same client: the call would wait for it");
    lua_pop(L, 1);
}

struct address *client_address(lua_State *L, struct client *client, const char *path, int query,
                               const struct url_pair *more, size_t count) {
    check_path(L, path, strlen(path));
    size_t given = query ? (size_t)lua_rawlen(L, query) / 2 : 0;
    luaL_checkstack(L, 6, "calira");
    check_waits_for_itself(L, client);
    struct address *address = lua_newuserdatauv(L, sizeof *address, 0);
    address->url = NULL;
    luaL_setmetatable(L, ADDRESS);
    struct url_pair *pairs = lua_newuserdatauv(L, (given + count + 1) * sizeof *pairs, 0);
    for (size_t i = 0; i < given; i++) { /* the strings stay in the query table */
        lua_rawgeti(L, query, (lua_Integer)(2 * i + 1));
        lua_rawgeti(L, query, (lua_Integer)(2 * i + 2));
        pairs[i] = (struct url_pair){lua_tostring(L, -2), lua_tostring(L, -1)};
        lua_pop(L, 2);
    }
    for (size_t i = 0; i < count; i++)
        pairs[given + i] = more[i];
    if (client->queue.closed)
        error_throw(L, "closed", "the client is closed");
    const char *wrong = url_build(&client->base, path, pairs, given + count, &address->url);
    lua_pop(L, 1);
    if (wrong)
        error_throw(L, "argument", "the path %s cannot be asked for: %s", path, wrong);
    return address;
}

void client_ask(lua_State *L, struct client *client, struct call *c, struct address *address) {
    if (client->queue.closed)
        error_throw(L, "closed", "the client is closed");
    curl_free(c->url);
    c->url = address->url;
    address->url = NULL;
    call_ask(c, &client->queue);
}

void client_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"client", f_client},         {"options", f_options},       {"set_token", f_set_token},
        {"fail_token", f_fail_token}, {"permit", f_permit},         {"on_supply", f_on_supply},
        {"trace", f_trace},           {"activity", f_activity},     {"await_activity", f_await_activity},
        {"is_client", f_is_client},   {"check_path", f_check_path}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"stats", client_stats}, {"close", client_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", client_gc},
        {"__close", client_close},
        {"__tostring", client_tostring},
        {NULL, NULL},
    };
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &clients_key);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, (void *)(uintptr_t)WANT_TOKEN);
    lua_setfield(L, -2, "TOKEN");
    lua_pushlightuserdata(L, (void *)(uintptr_t)WANT_PERMIT);
    lua_setfield(L, -2, "PERMIT");
    trace_open(L);
    luaL_newmetatable(L, ADDRESS);
    lua_pushcfunction(L, address_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newmetatable(L, CLIENT);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, "client_methods"); /* the Lua layer adds the calls of the API */
    lua_pop(L, 1);
}
