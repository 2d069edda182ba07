#include "http/response.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "http/failure.h"

#define RESPONSE "calira.response"

enum { MOST_PER_PAGE = 100 }; /* records that a page of the service holds */

/* ---- the userdata ---- */

static void release(struct resource *resource) {
    reply_free(&link_owner(resource, struct response, resource)->reply);
}

struct response *response_new(lua_State *L, struct loop *lp, int path) {
    path = lua_absindex(L, path);
    struct response *r = lua_newuserdatauv(L, sizeof *r, RESPONSE_VALUES);
    *r = (struct response){.resource = {.release = release}, .retry_after = -1};
    link_init(&r->resource.link);
    luaL_setmetatable(L, RESPONSE);
    loop_own(lp, &r->resource);
    lua_pushvalue(L, path);
    lua_setiuservalue(L, -2, RESPONSE_PATH);
    return r;
}

void response_take(struct response *r, struct call *c) {
    reply_free(&r->reply);
    r->reply = c->transfer.reply;
    c->transfer.reply = (struct reply){.outcome = OUTCOME_NONE};
    r->reply.outcome = c->outcome;
    r->post = c->form != NULL;
    r->attempts = call_attempts(c);
    r->retry_after = c->retry_after;
    r->asked = c->asked;
    r->ended = c->ended_at;
}

bool response_good(const struct response *r) {
    return r->reply.outcome == OUTCOME_ANSWER && r->reply.status >= 200 && r->reply.status < 300;
}

void response_drop_body(struct response *r) {
    buffer_free(&r->reply.body);
}

static int response_gc(lua_State *L) {
    struct response *r = luaL_checkudata(L, 1, RESPONSE);
    link_drop(&r->resource.link);
    release(&r->resource);
    return 0;
}

/* ---- reading ---- */

/* A login page is the usual reason: say so. */
static const char *describe(const struct response *r, char first) {
    size_t size;
    const char *type = headers_find(&r->reply.headers, "content-type", &size);
    if (first == '<' || (type && size >= 9 && memcmp(type, "text/html", 9) == 0))
        return "it is an HTML page, perhaps a login page; is base_url right?";
    return NULL;
}

static const char *misfit(const struct asked *asked, char first) {
    if (asked->want == WANT_ARRAY && first != '[')
        return "an array was expected";
    if (asked->want == WANT_OBJECT && first != '{')
        return "an object was expected";
    return NULL;
}

/* Tells the trace that the text was not quite what it should be. */
static void trace_replaced(struct client *client, size_t count) {
    char message[80];
    snprintf(message, sizeof message, "%zu unpaired surrogates were decoded as U+FFFD", count);
    queue_trace(&client->queue, NULL, "decode", -1, message);
}

/* Decodes the body of a good answer, where it lies in the response: pushes its value, or what is wrong with it. */
static enum reading_result decode(lua_State *L, const struct response *r, struct client *client,
                                  const struct asked *asked) {
    const struct buffer *body = &r->reply.body;
    struct json_facts facts = {.expected = asked->want == WANT_ARRAY ? MOST_PER_PAGE : 0};
    const char *wrong = describe(r, json_first(body->data, body->size));
    if (!wrong) {
        if (!json_decode(L, body->data ? body->data : "", body->size, &facts))
            return facts.cut_short ? READING_CUT : READING_ERROR;
        if (facts.replaced)
            trace_replaced(client, facts.replaced);
        wrong = misfit(asked, facts.first);
    }
    if (!wrong && asked->want == WANT_ARRAY && facts.not_objects > 0)
        wrong = "an element of the array is no object";
    if (!wrong)
        return READING_VALUE;
    lua_pushstring(L, wrong);
    return READING_ERROR;
}

enum reading_result response_read(lua_State *L, int response, int client, const struct asked *asked) {
    response = lua_absindex(L, response);
    client = lua_absindex(L, client);
    const struct response *r = lua_touserdata(L, response);
    luaL_checkstack(L, 16, "calira");
    if (!response_good(r)) {
        failure_push(L, response, client, asked);
        return READING_ERROR;
    }
    enum reading_result result = decode(L, r, lua_touserdata(L, client), asked);
    if (result != READING_VALUE)
        failure_decode(L, response, client, asked);
    return result;
}

/* ---- for users ---- */

/* A name that comes more than once has its values joined by ", ", as HTTP says (RFC 9110, 5.3). */
static void push_headers(lua_State *L, const struct headers *h) {
    size_t at = 0, name_size, value_size;
    const char *name, *value;
    lua_newtable(L);
    while (headers_next(h, &at, &name, &name_size, &value, &value_size)) {
        luaL_Buffer lower;
        char *to = luaL_buffinitsize(L, &lower, name_size);
        for (size_t i = 0; i < name_size; i++)
            to[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
        luaL_pushresultsize(&lower, name_size);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushlstring(L, value, value_size);
        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, value, value_size);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
}

/* The response is its upvalue: called with a colon or a dot, it is the same. */
static int response_text(lua_State *L) {
    struct response *r = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushlstring(L, r->reply.body.data ? r->reply.body.data : "", r->reply.body.size);
    return 1;
}

/* Pushes the table of headers, made on first use. */
static void get_headers(lua_State *L, const struct response *r) {
    if (lua_getiuservalue(L, 1, RESPONSE_HEADERS) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    push_headers(L, &r->reply.headers);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, RESPONSE_HEADERS);
}

static int response_index(lua_State *L) {
    struct response *r = luaL_checkudata(L, 1, RESPONSE);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(name, "status") == 0) {
        lua_pushinteger(L, r->reply.status);
    } else if (strcmp(name, "attempts") == 0) {
        lua_pushinteger(L, r->attempts);
    } else if (strcmp(name, "elapsed") == 0) {
        lua_pushnumber(L, (double)(r->ended - r->asked) / (double)NS_PER_SECOND);
    } else if (strcmp(name, "headers") == 0) {
        get_headers(L, r);
    } else if (strcmp(name, "request_id") == 0) {
        get_headers(L, r);
        lua_getfield(L, -1, "x-request-id");
    } else if (strcmp(name, "text") == 0) {
        lua_pushvalue(L, 1);
        lua_pushcclosure(L, response_text, 1);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int response_tostring(lua_State *L) {
    struct response *r = luaL_checkudata(L, 1, RESPONSE);
    lua_pushfstring(L, "calira.response: %d", (int)r->reply.status);
    return 1;
}

void response_open(lua_State *L) {
    luaL_newmetatable(L, RESPONSE);
    lua_pushcfunction(L, response_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, response_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, response_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
