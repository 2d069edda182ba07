#include "http/request.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/response.h"

#define REQUEST "calira.request"

/* User values. RESULT: the decoded body, or the error object; TAKEN: the response, while it was not read yet too. */
enum { REQUEST_CLIENT = 1, REQUEST_RESULT, REQUEST_TAKEN, REQUEST_SCOPE, REQUEST_PATH, REQUEST_VALUES = 5 };

enum request_state {
    REQUEST_OPEN, /* on its way */
    REQUEST_TAKE, /* over: the response is taken, and was not read yet */
    REQUEST_READ, /* it was read */
    REQUEST_FAILED,
    REQUEST_CLOSED, /* its finalizer has run */
};

struct request {
    struct resource resource;
    struct call call;
    struct cond ended;
    struct loop *loop;
    enum request_state state;
    enum want want;
};

static struct request *check(lua_State *L) {
    struct request *r = luaL_testudata(L, 1, REQUEST);
    if (!r)
        error_throw(L, "argument", "a request is expected (got %s): use request:wait() with a colon",
                    luaL_typename(L, 1));
    loop_check_fork(r->loop);
    return r;
}

static void release(struct resource *resource) {
    struct request *r = link_owner(resource, struct request, resource);
    call_drop(&r->call);
    if (r->state == REQUEST_OPEN)
        r->state = REQUEST_CLOSED;
    cond_signal(&r->ended);
}

/* (client, path, query, scope, object) → a request that is on its way. `form` makes it a POST. */
static struct request *request_new(lua_State *L, const char *form) {
    struct client *client = client_check(L, 1);
    const char *path = luaL_checkstring(L, 2);
    struct request *r = lua_newuserdatauv(L, sizeof *r, REQUEST_VALUES);
    *r = (struct request){.resource = {.release = release}, .loop = client->queue.loop};
    link_init(&r->resource.link);
    cond_init(&r->ended);
    call_init(&r->call, &r->ended);
    luaL_setmetatable(L, REQUEST);
    loop_own(r->loop, &r->resource);
    const int request = lua_gettop(L), values[][2] = {{REQUEST_CLIENT, 1}, {REQUEST_PATH, 2}, {REQUEST_SCOPE, 4}};
    for (int i = 0; i < 3; i++) {
        lua_pushvalue(L, values[i][1]);
        lua_setiuservalue(L, request, values[i][0]);
    }
    r->want = lua_toboolean(L, 5) ? WANT_OBJECT : WANT_ANY;
    struct address *address = client_address(L, client, path, lua_istable(L, 3) ? 3 : 0, NULL, 0);
    if (form && !(r->call.form = strdup(form)))
        luaL_error(L, "not enough memory");
    client_ask(L, client, &r->call, address);
    loop_turn(r->loop, 0); /* on the wire before the caller goes on */
    lua_settop(L, request);
    return r;
}

/* core.request(client, path [, query [, scope [, object]]]): query is an array of names and values by turns; object: the
 * answer has to be one. Does not wait. */
static int f_request(lua_State *L) {
    lua_settop(L, 5);
    request_new(L, NULL);
    return 1;
}

/* core.post(client, path, form): the same as a POST of an encoded form, for token endpoints. */
static int f_post(lua_State *L) {
    const char *form = luaL_checkstring(L, 3);
    lua_settop(L, 3);
    lua_settop(L, 5);
    lua_pushboolean(L, 1);
    lua_replace(L, 5);
    request_new(L, form);
    return 1;
}

/* Whether wait() need not wait. */
static bool is_done(const void *what) {
    const struct request *r = what;
    return r->state != REQUEST_OPEN || call_over(&r->call);
}

/* Takes the response out of the call that is over, if that was not done yet, and pushes it. */
static void push_taken(lua_State *L, struct request *r) {
    if (r->state == REQUEST_OPEN) {
        lua_getiuservalue(L, 1, REQUEST_PATH);
        struct response *response = response_new(L, r->loop, -1);
        lua_remove(L, -2);
        if (r->state == REQUEST_OPEN && call_over(&r->call)) {
            lua_pushvalue(L, -1);
            lua_setiuservalue(L, 1, REQUEST_TAKEN);
            response_take(response, &r->call);
            r->state = REQUEST_TAKE;
        }
        lua_pop(L, 1);
    }
    lua_getiuservalue(L, 1, REQUEST_TAKEN);
}

/* Asks again, since the JSON was cut short. False: not any more. */
static bool ask_again(lua_State *L, struct request *r) {
    lua_getiuservalue(L, 1, REQUEST_CLIENT);
    struct client *client = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (r->state != REQUEST_TAKE || !call_ask_again(&r->call, &client->queue))
        return false;
    r->state = REQUEST_OPEN;
    loop_turn(r->loop, 0);
    return true;
}

/* Reads the response that was taken. False: it is asked for again. */
static bool read_taken(lua_State *L, struct request *r) {
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, REQUEST_CLIENT);
    lua_getiuservalue(L, 1, REQUEST_SCOPE);
    push_taken(L, r);
    if (r->state != REQUEST_TAKE) /* another reader, or a finalizer, was quicker */
        return false;
    const struct asked asked = {lua_tostring(L, 3), 0, r->want};
    enum reading_result result = response_read(L, 4, 2, &asked);
    if (result == READING_CUT && ask_again(L, r))
        return false;
    if (r->state != REQUEST_TAKE)
        return false;
    lua_setiuservalue(L, 1, REQUEST_RESULT);
    r->state = result == READING_VALUE ? REQUEST_READ : REQUEST_FAILED;
    call_drop(&r->call);
    client_tell(L, 2); /* an answer that came at once was not waited for, and nobody was told */
    return true;
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct request *r = lua_touserdata(L, 1);
    lua_settop(L, 1);
    while (r->state == REQUEST_OPEN || r->state == REQUEST_TAKE) {
        wait_until(L, r->loop, &r->ended, is_done, r, ctx, wait_k);
        if (r->state != REQUEST_CLOSED)
            read_taken(L, r);
        lua_settop(L, 1);
    }
    if (r->state == REQUEST_CLOSED)
        error_throw(L, "cancelled", "the request was collected");
    lua_getiuservalue(L, 1, REQUEST_RESULT);
    if (r->state == REQUEST_FAILED)
        return lua_error(L);
    lua_getiuservalue(L, 1, REQUEST_TAKEN);
    return 2;
}

/* request:wait(): the decoded body and the response; raises what went wrong, each time it is asked. May wait. */
static int request_wait(lua_State *L) {
    check(L);
    return wait_k(L, LUA_OK, 0);
}

/* request:done(): whether wait() would not wait. */
static int request_done(lua_State *L) {
    struct request *r = check(L);
    lua_pushboolean(L, is_done(r));
    return 1;
}

/* request:cancel(): stops it; wait() raises `cancelled`, where it had not ended before. */
static int request_cancel(lua_State *L) {
    struct request *r = check(L);
    struct queue *n = r->call.queue;
    if (n) {
        call_end(&r->call, OUTCOME_CANCELLED);
        queue_dispatch(n);
        loop_turn(r->loop, 0);
    }
    return 0;
}

static int request_gc(lua_State *L) {
    struct request *r = luaL_checkudata(L, 1, REQUEST);
    loop_check_fork(r->loop);
    link_drop(&r->resource.link);
    release(&r->resource);
    return 0;
}

static int request_tostring(lua_State *L) {
    static const char *const states[] = {"under way", "done", "done", "failed", "closed"};
    struct request *r = check(L);
    enum request_state state = r->state == REQUEST_OPEN && call_over(&r->call) ? REQUEST_TAKE : r->state;
    bool cancelled = r->state == REQUEST_OPEN && r->call.outcome == OUTCOME_CANCELLED;
    lua_getiuservalue(L, 1, REQUEST_PATH);
    lua_pushfstring(L, "calira.request: GET %s (%s)", lua_tostring(L, -1), cancelled ? "cancelled" : states[state]);
    return 1;
}

/* core.get(client, path [, query [, scope [, object]]]): a request and its wait(). The request is closed when the call is
 * left, by `coroutine.close` too. */
static int f_get(lua_State *L) {
    lua_settop(L, 5);
    request_new(L, NULL);
    lua_replace(L, 1);
    lua_settop(L, 1);
    lua_toclose(L, 1);
    return wait_k(L, LUA_OK, 0);
}

void request_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"request", f_request}, {"get", f_get}, {"post", f_post}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"wait", request_wait},
        {"done", request_done},
        {"cancel", request_cancel},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__gc", request_gc},
        {"__close", request_cancel},
        {"__tostring", request_tostring},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, REQUEST);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
