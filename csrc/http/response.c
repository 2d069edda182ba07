#include "http/response.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

#define RESPONSE "calira.response"

enum { RESPONSE_TEXT = 1, RESPONSE_HEADERS, RESPONSE_VALUES = 2 };

struct response {
    long status;
    int attempts;
    double elapsed;
};

/* ---- reading an answer ---- */

/* A login page is the usual reason: say so. */
static const char *describe(const struct call *c, char first) {
    size_t size;
    const char *type = headers_find(&c->transfer.headers, "content-type", &size);
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

/* In a list every element has to be an object. Returns what is wrong; the array is on the top. */
static const char *misfit_element(lua_State *L) {
    lua_Unsigned count = lua_rawlen(L, -1);
    for (lua_Unsigned i = 1; i <= count; i++) {
        bool object = lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TTABLE && lua_rawlen(L, -1) == 0;
        lua_pop(L, 1);
        if (!object)
            return "an element of the array is no object";
    }
    return NULL;
}

void response_read(lua_State *L, int client, struct call *c, const struct asked *asked, bool keep) {
    client = lua_absindex(L, client);
    const struct client *owner = lua_touserdata(L, client);
    luaL_checkstack(L, 8, "calira");
    if (!call_good(c)) {
        failure_push(L, client, c, asked);
        lua_error(L);
    }
    struct buffer *body = &c->transfer.body;
    lua_pushlstring(L, body->data ? body->data : "", body->size);
    char first = json_first(lua_tostring(L, -1), body->size);
    const char *wrong = describe(c, first);
    bool read = !wrong && json_decode(L, -1);
    if (!wrong && !read)
        wrong = lua_tostring(L, -1);
    if (!wrong)
        wrong = misfit(asked, first);
    if (!wrong && asked->want == WANT_ARRAY)
        wrong = misfit_element(L);
    if (wrong) {
        failure_decode(L, owner, c, asked, wrong);
        lua_error(L);
    }
    buffer_free(body);
    if (!keep)
        lua_remove(L, -2);
}

/* ---- the userdata ---- */

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

void response_new(lua_State *L, const struct call *c) {
    struct response *r = lua_newuserdatauv(L, sizeof *r, RESPONSE_VALUES);
    *r = (struct response){
        .status = c->transfer.status,
        .attempts = call_attempts(c),
        .elapsed = (double)(c->ended_at - c->asked) / (double)NS_PER_SECOND,
    };
    luaL_setmetatable(L, RESPONSE);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, RESPONSE_TEXT);
    push_headers(L, &c->transfer.headers);
    lua_setiuservalue(L, -2, RESPONSE_HEADERS);
}

/* The response is its upvalue: called with a colon or a dot, it is the same. */
static int response_text(lua_State *L) {
    lua_getiuservalue(L, lua_upvalueindex(1), RESPONSE_TEXT);
    return 1;
}

static int response_index(lua_State *L) {
    struct response *r = luaL_checkudata(L, 1, RESPONSE);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(name, "status") == 0) {
        lua_pushinteger(L, r->status);
    } else if (strcmp(name, "attempts") == 0) {
        lua_pushinteger(L, r->attempts);
    } else if (strcmp(name, "elapsed") == 0) {
        lua_pushnumber(L, r->elapsed);
    } else if (strcmp(name, "headers") == 0) {
        lua_getiuservalue(L, 1, RESPONSE_HEADERS);
    } else if (strcmp(name, "request_id") == 0) {
        lua_getiuservalue(L, 1, RESPONSE_HEADERS);
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
    lua_pushfstring(L, "calira.response: %d", (int)r->status);
    return 1;
}

void response_open(lua_State *L) {
    luaL_newmetatable(L, RESPONSE);
    lua_pushcfunction(L, response_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, response_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
