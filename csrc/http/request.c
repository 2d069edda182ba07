#include "http/request.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/response.h"

#define REQUEST "calira.request"

enum { REQUEST_CLIENT = 1, REQUEST_RESULT, REQUEST_RESPONSE, REQUEST_SCOPE, REQUEST_VALUES = 4 };

enum request_state { REQUEST_OPEN, REQUEST_READ, REQUEST_FAILED };

struct request {
    struct call call;
    struct cond ended;
    struct loop *loop;
    struct asked asked;
    enum request_state state; /* FAILED: the error object is its REQUEST_RESULT */
};

static struct request *check(lua_State *L) {
    struct request *r = luaL_testudata(L, 1, REQUEST);
    if (!r)
        error_throw(L, "argument", "a request is expected (got %s): use request:wait() with a colon",
                    luaL_typename(L, 1));
    loop_check_fork(r->loop);
    return r;
}

/* (client, path, query, scope, want) → a request that is on its way. `form` makes it a POST. */
static struct request *request_new(lua_State *L, const char *form) {
    struct client *client = client_check(L, 1);
    const char *path = luaL_checkstring(L, 2);
    struct request *r = lua_newuserdatauv(L, sizeof *r, REQUEST_VALUES);
    *r = (struct request){.loop = client->queue.loop};
    cond_init(&r->ended);
    call_init(&r->call, &r->ended, NULL);
    luaL_setmetatable(L, REQUEST);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, REQUEST_CLIENT);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, -2, REQUEST_SCOPE);
    r->asked.scope = lua_tostring(L, 4);
    r->asked.want = lua_toboolean(L, 5) ? WANT_OBJECT : WANT_ANY;
    client_address(L, client, &r->call, path, lua_istable(L, 3) ? 3 : 0, NULL, 0);
    if (form && !(r->call.form = strdup(form)))
        luaL_error(L, "not enough memory");
    call_ask(&r->call, &client->queue);
    loop_turn(r->loop, 0); /* on the wire before the caller goes on */
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
    lua_pushnil(L);
    lua_replace(L, 3);
    lua_settop(L, 5);
    lua_pushboolean(L, 1);
    lua_replace(L, 5);
    request_new(L, form);
    return 1;
}

/* Reads the answer into the user values: decode once, however often it is asked for. */
static int settle(lua_State *L) {
    struct request *r = lua_touserdata(L, 1);
    lua_getiuservalue(L, 1, REQUEST_CLIENT);
    response_read(L, 2, &r->call, &r->asked, true);
    lua_setiuservalue(L, 1, REQUEST_RESULT);
    response_new(L, &r->call);
    lua_setiuservalue(L, 1, REQUEST_RESPONSE);
    r->state = REQUEST_READ;
    return 0;
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct request *r = lua_touserdata(L, 1);
    lua_settop(L, 1);
    while (!call_over(&r->call) && r->state == REQUEST_OPEN)
        wait_on(L, r->loop, &r->ended, ctx, wait_k);
    if (r->state == REQUEST_OPEN) {
        lua_pushcfunction(L, settle);
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
            if (!error_is(L, -1))
                lua_error(L); /* out of memory: may be asked for again */
            lua_setiuservalue(L, 1, REQUEST_RESULT);
            r->state = REQUEST_FAILED;
        }
        if (r->state != REQUEST_OPEN)
            call_drop(&r->call);
        lua_getiuservalue(L, 1, REQUEST_CLIENT);
        client_tell(L, -1); /* an answer that came at once was not waited for, and nobody was told */
        lua_pop(L, 1);
    }
    lua_getiuservalue(L, 1, REQUEST_RESULT);
    if (r->state == REQUEST_FAILED)
        return lua_error(L);
    lua_getiuservalue(L, 1, REQUEST_RESPONSE);
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
    lua_pushboolean(L, r->state != REQUEST_OPEN || call_over(&r->call));
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
    call_drop(&r->call);
    cond_close(&r->ended);
    return 0;
}

static int request_tostring(lua_State *L) {
    struct request *r = check(L);
    const char *state = r->state == REQUEST_READ ? "done" : r->state == REQUEST_FAILED ? "failed" : "under way";
    lua_pushfstring(L, "calira.request: %s (%s)", r->call.path ? r->call.path : "GET", state);
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
