#include "http/failure.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/json.h"

enum { BODY_SHOWN = 2048, BODY_READ = 64 * 1024, TEXT_SHOWN = 500 };
enum { SECRET_LEAST = 4 }; /* bytes: what is shorter would be found everywhere */

/* Bytes of the secret at the start of the text; 0: it is not there. */
static size_t secret_at(const char *secret, const char *text, size_t size) {
    size_t length = secret ? strlen(secret) : 0;
    return length <= size && length >= SECRET_LEAST && memcmp(text, secret, length) == 0 ? length : 0;
}

/* Pushes the first `most` bytes of a text from the network without the tokens: servers echo what they were sent. */
static void push_redacted(lua_State *L, const struct queue *n, const char *text, size_t size, size_t most) {
    luaL_Buffer clean;
    luaL_buffinit(L, &clean);
    for (size_t at = 0, left = most; at < size && left;) {
        size_t secret = secret_at(n->token, text + at, size - at);
        if (!secret)
            secret = secret_at(n->token_before, text + at, size - at);
        size_t shown = !secret ? 1 : left < 3 ? left : 3;
        luaL_addlstring(&clean, secret ? "***" : text + at, shown);
        at += secret ? secret : 1;
        left -= shown;
    }
    luaL_pushresult(&clean);
}

/* ---- what the answer itself says ---- */

/* Pushes the value of `key="value"` in a WWW-Authenticate field; false, pushing nothing: none. */
static bool push_challenge(lua_State *L, const struct call *c, const char *key) {
    size_t size, length = strlen(key);
    const char *text = headers_find(&c->transfer.headers, "www-authenticate", &size);
    for (const char *p = text; p && p + length + 2 < text + size; p++) {
        if (memcmp(p, key, length) != 0 || p[length] != '=' || p[length + 1] != '"' ||
            (p > text && p[-1] != ' ' && p[-1] != ','))
            continue;
        const char *value = p + length + 2;
        const char *end = memchr(value, '"', (size_t)(text + size - value));
        if (!end || end == value)
            return false;
        lua_pushlstring(L, value, (size_t)(end - value));
        return true;
    }
    return false;
}

/* Pushes a text field of the JSON object in the body; false, pushing nothing: none. */
static bool push_body_field(lua_State *L, const struct call *c, const char *const *names) {
    const struct buffer *body = &c->transfer.body;
    int top = lua_gettop(L);
    if (body->size > BODY_READ || json_first(body->data, body->size) != '{')
        return false;
    lua_pushlstring(L, body->data, body->size);
    if (json_decode(L, -1) && lua_istable(L, -1)) {
        for (int i = 0; names[i]; i++) {
            if (lua_getfield(L, top + 2, names[i]) == LUA_TSTRING) {
                lua_replace(L, top + 1);
                lua_settop(L, top + 1);
                return true;
            }
            lua_pop(L, 1);
        }
    }
    lua_settop(L, top);
    return false;
}

/* Pushes the server's own words about an error, cleaned; "" where it has none. */
static void push_words(lua_State *L, const struct queue *n, const struct call *c) {
    static const char *const names[] = {"error_description", "message", "error", NULL};
    size_t size;
    if (!push_body_field(L, c, names) && !push_challenge(L, c, "error_description") && !push_challenge(L, c, "error"))
        lua_pushliteral(L, "");
    const char *text = lua_tolstring(L, -1, &size);
    push_redacted(L, n, text, size, TEXT_SHOWN);
    lua_remove(L, -2);
}

/* ---- messages ---- */

static const char *status_kind(long status) {
    switch (status) {
    case 401:
        return "unauthorized";
    case 403:
        return "forbidden";
    case 404:
        return "not_found";
    case 408:
        return "timeout";
    case 429:
        return "rate_limited";
    default:
        return status >= 500 ? "server" : status >= 400 ? "client" : status >= 300 ? "redirect" : "client";
    }
}

/* Pushes "plain" or "plain: words". */
static void push_with_words(lua_State *L, const struct queue *n, const struct call *c, const char *plain) {
    push_words(L, n, c);
    if (lua_rawlen(L, -1) == 0)
        lua_pushstring(L, plain);
    else
        lua_pushfstring(L, "%s: %s", plain, lua_tostring(L, -1));
    lua_remove(L, -2);
}

static bool lacks_scope(lua_State *L, const struct call *c) {
    static const char *const names[] = {"error", NULL};
    int top = lua_gettop(L);
    bool yes = (push_challenge(L, c, "error") && strcmp(lua_tostring(L, -1), "insufficient_scope") == 0) ||
               (push_body_field(L, c, names) && strcmp(lua_tostring(L, -1), "insufficient_scope") == 0);
    lua_settop(L, top);
    return yes;
}

static void push_forbidden(lua_State *L, const struct queue *n, const struct call *c, const struct asked *asked) {
    if (!lacks_scope(L, c)) {
        push_with_words(L, n, c, "not allowed (is the application approved, and may it see this lab?)");
        return;
    }
    if (asked->scope)
        lua_pushstring(L, asked->scope);
    else if (!push_challenge(L, c, "scope"))
        lua_pushliteral(L, "that this call needs");
    lua_pushfstring(L, "the application lacks the scope %s", lua_tostring(L, -1));
    lua_remove(L, -2);
}

static void push_redirect(lua_State *L, const struct call *c) {
    char target[300], origin[300];
    size_t size;
    const char *where = headers_find(&c->transfer.headers, "location", &size);
    origin[0] = '\0';
    if (where && size < sizeof target) {
        memcpy(target, where, size);
        target[size] = '\0';
        url_origin(target, origin, sizeof origin);
    }
    lua_pushfstring(L, "redirects to %s; redirects are not followed, is base_url right?",
                    origin[0] ? origin : "another path of this host");
}

static void push_status(lua_State *L, const struct queue *n, const struct call *c, const struct asked *asked) {
    long status = c->transfer.status;
    if (status == 401)
        push_with_words(L, n, c, "the access token was not accepted");
    else if (status == 403)
        push_forbidden(L, n, c, asked);
    else if (status == 404)
        push_with_words(L, n, c, "not found");
    else if (status == 429)
        push_with_words(L, n, c, "too many requests");
    else if (status >= 300 && status < 400)
        push_redirect(L, c);
    else
        push_with_words(L, n, c, status >= 500 ? "the server failed" : "the server refused the request");
}

static void push_tls(lua_State *L, const struct client *client, const struct call *c) {
    const struct settings *s = &client->settings;
    const char *named = s->ca_file ? s->ca_file : s->ca_path ? s->ca_path : "the system's";
    lua_pushfstring(L, "the server's certificate or the TLS handshake failed: %s (authorities: %s)",
                    c->transfer.message, named);
}

static void push_seconds(lua_State *L, const char *format, double seconds) {
    char number[32];
    snprintf(number, sizeof number, "%g", seconds);
    lua_pushfstring(L, format, number);
}

/* Pushes the kind and the message. */
static void push_outcome(lua_State *L, const struct client *client, const struct call *c, const struct asked *asked) {
    const char *said = c->transfer.message;
    switch (c->outcome) {
    case OUTCOME_ANSWER:
        lua_pushstring(L, status_kind(c->transfer.status));
        push_status(L, &client->queue, c, asked);
        return;
    case OUTCOME_TLS:
        lua_pushliteral(L, "tls");
        push_tls(L, client, c);
        return;
    case OUTCOME_TIMEOUT:
        lua_pushliteral(L, "timeout");
        lua_pushstring(L, said);
        return;
    case OUTCOME_DEADLINE:
        lua_pushliteral(L, "timeout");
        push_seconds(L, "not done within the deadline of %s s", client->queue.deadline);
        return;
    case OUTCOME_TOO_LARGE:
        lua_pushliteral(L, "too_large");
        if (c->transfer.body_over)
            lua_pushfstring(L, "the body is larger than max_body (%I bytes)", (LUAI_UACINT)client->settings.max_body);
        else
            lua_pushliteral(L, "the header fields are larger than the bound");
        return;
    case OUTCOME_ENCODING:
        lua_pushliteral(L, "decode");
        lua_pushfstring(L, "the body's encoding cannot be read: %s",
                        c->transfer.encoding_refused ? "only gzip was asked for" : said);
        return;
    case OUTCOME_CANCELLED:
        lua_pushliteral(L, "cancelled");
        lua_pushliteral(L, "the call was cancelled");
        return;
    case OUTCOME_CLOSED:
        lua_pushliteral(L, "cancelled");
        lua_pushliteral(L, "the client was closed");
        return;
    default: /* network, the proxy's refusal, no memory for the transfer */
        lua_pushliteral(L, "network");
        lua_pushstring(L, c->outcome == OUTCOME_MEMORY ? "not enough memory for the transfer" : said);
        return;
    }
}

/* ---- the object ---- */

/* Adds when to come back to the message on the top, with the clock time here. */
static void add_after(lua_State *L, const struct call *c) {
    char clock[32];
    struct tm local;
    time_t then = time(NULL) + (time_t)c->retry_after;
    const char *form = c->retry_after < 86400 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S";
    if (!localtime_r(&then, &local) || strftime(clock, sizeof clock, form, &local) == 0)
        clock[0] = '\0';
    lua_pushfstring(L, "; the server asks to come back in %I s, at %s", (LUAI_UACINT)c->retry_after, clock);
    lua_concat(L, 2);
}

/* Sets what is known of the exchange in the error object at `object`. */
static void set_exchange(lua_State *L, int object, const struct queue *n, const struct call *c) {
    size_t size;
    const char *id = headers_find(&c->transfer.headers, "x-request-id", &size);
    if (id) {
        push_redacted(L, n, id, size, TEXT_SHOWN);
        lua_setfield(L, object, "request_id");
    }
    lua_pushstring(L, c->form ? "POST" : "GET");
    lua_setfield(L, object, "method");
    lua_pushstring(L, c->path);
    lua_setfield(L, object, "path");
    lua_pushinteger(L, call_attempts(c));
    lua_setfield(L, object, "attempts");
    if (c->transfer.status) {
        lua_pushinteger(L, c->transfer.status);
        lua_setfield(L, object, "status");
    }
    const struct buffer *body = &c->transfer.body;
    if (body->size) {
        push_redacted(L, n, body->data, body->size, BODY_SHOWN);
        lua_setfield(L, object, "body");
    }
}

/* Pushes a copy of the error object on the top, which says why there is no token: one for each call that needed it. */
static void push_token_error(lua_State *L, const struct queue *n, const struct call *c) {
    int shared = lua_gettop(L);
    error_new(L, "unauthorized", "no token");
    int object = shared + 1;
    lua_getfield(L, shared, "path");
    bool elsewhere = !lua_isnil(L, -1); /* it is the token endpoint's */
    lua_pop(L, 1);
    if (!elsewhere)
        set_exchange(L, object, n, c);
    lua_pushnil(L);
    while (lua_next(L, shared)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "at") == 0)
            lua_pop(L, 2);
        else
            lua_rawset(L, object);
    }
}

/* Puts "page 3: " before the message on the top. */
static void add_page(lua_State *L, const struct asked *asked) {
    if (asked->page) {
        lua_pushfstring(L, "page %I: ", (LUAI_UACINT)asked->page);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
}

void failure_push(lua_State *L, int client, const struct call *c, const struct asked *asked) {
    client = lua_absindex(L, client);
    const struct client *owner = lua_touserdata(L, client);
    luaL_checkstack(L, 16, "calira");
    if (c->outcome == OUTCOME_TOKEN && lua_getiuservalue(L, client, CLIENT_TOKEN_ERROR) == LUA_TTABLE) {
        push_token_error(L, &owner->queue, c);
        return;
    }
    push_outcome(L, owner, c, asked);
    size_t size;
    const char *message = lua_tolstring(L, -1, &size);
    push_redacted(L, &owner->queue, message, size, size);
    lua_remove(L, -2);
    if (c->retry_after >= 0 && c->outcome == OUTCOME_ANSWER)
        add_after(L, c);
    if (c->retries) {
        lua_pushfstring(L, " (after %d attempts)", call_attempts(c));
        lua_concat(L, 2);
    }
    add_page(L, asked);
    error_new(L, lua_tostring(L, -2), "%s", lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
    int object = lua_gettop(L);
    set_exchange(L, object, &owner->queue, c);
    if (c->retry_after >= 0) {
        lua_pushinteger(L, (lua_Integer)c->retry_after);
        lua_setfield(L, object, "retry_after");
    }
}

void failure_decode(lua_State *L, const struct client *client, const struct call *c, const struct asked *asked,
                    const char *what) {
    luaL_checkstack(L, 8, "calira");
    lua_pushfstring(L, "the answer is not the JSON that was asked for: %s", what);
    add_page(L, asked);
    error_new(L, "decode", "%s", lua_tostring(L, -1));
    lua_remove(L, -2);
    set_exchange(L, lua_gettop(L), &client->queue, c);
}
