#include "http/failure.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/json.h"

enum { BODY_SHOWN = 2048, BODY_READ = 64 * 1024, TEXT_SHOWN = 500 };
enum {
    SECRET_LEAST = 4,
    SECRET_LONG = 8
}; /* bytes: what is shorter would be found everywhere; what is not long, in words */

/* What is read to make an error. All of it is held by the stack: the response, and the tokens as strings. */
struct failure {
    const struct response *r;
    const struct client *client;
    const struct asked *asked;
    const char *tokens[2];
};

static bool of_a_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Bytes of the secret at `at` in the text; 0: it is not there. */
static size_t secret_at(const char *secret, const char *text, size_t at, size_t size) {
    size_t length = secret ? strlen(secret) : 0;
    if (length < SECRET_LEAST || length > size - at || memcmp(text + at, secret, length) != 0)
        return 0;
    bool inside = (at > 0 && of_a_word(text[at - 1])) || (at + length < size && of_a_word(text[at + length]));
    return length < SECRET_LONG && inside ? 0 : length;
}

/* Pushes the first `most` bytes of a text from the network without the tokens: servers echo what they were sent. */
static void push_redacted(lua_State *L, const struct failure *f, const char *text, size_t size, size_t most) {
    luaL_Buffer clean;
    luaL_buffinit(L, &clean);
    for (size_t at = 0, left = most; at < size && left;) {
        size_t secret = secret_at(f->tokens[0], text, at, size);
        if (!secret)
            secret = secret_at(f->tokens[1], text, at, size);
        size_t shown = !secret ? 1 : left < 3 ? left : 3;
        luaL_addlstring(&clean, secret ? "***" : text + at, shown);
        at += secret ? secret : 1;
        left -= shown;
    }
    luaL_pushresult(&clean);
}

/* ---- what the answer itself says ---- */

/* Pushes a quoted string (RFC 9110, 5.6.4) that begins behind its first quote; false, pushing nothing: it is empty or open. */
static bool push_quoted(lua_State *L, const char *text, const char *end) {
    luaL_Buffer value;
    luaL_buffinit(L, &value);
    const char *p = text;
    for (; p < end && *p != '"'; p++) {
        p += *p == '\\' && p + 1 < end;
        luaL_addchar(&value, *p);
    }
    luaL_pushresult(&value);
    if (p < end && p > text)
        return true;
    lua_pop(L, 1);
    return false;
}

/* Pushes the value of `key="value"` in a WWW-Authenticate field; false, pushing nothing: none. */
static bool push_challenge(lua_State *L, const struct failure *f, const char *key) {
    size_t size, length = strlen(key);
    const char *text = headers_find(&f->r->reply.headers, "www-authenticate", &size);
    for (const char *p = text; p && p + length + 2 < text + size; p++) {
        bool starts = p == text || p[-1] == ' ' || p[-1] == ',';
        if (starts && memcmp(p, key, length) == 0 && p[length] == '=' && p[length + 1] == '"')
            return push_quoted(L, p + length + 2, text + size);
    }
    return false;
}

/* Pushes a text field of the JSON object in the body; false, pushing nothing: none. */
static bool push_body_field(lua_State *L, const struct failure *f, const char *const *names) {
    const struct buffer *body = &f->r->reply.body;
    int top = lua_gettop(L);
    if (body->size > BODY_READ || json_first(body->data, body->size) != '{')
        return false;
    lua_pushlstring(L, body->data, body->size);
    struct json_facts facts = {.expected = 0};
    if (json_decode(L, lua_tostring(L, -1), (size_t)lua_rawlen(L, -1), &facts) && lua_istable(L, -1)) {
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
static void push_words(lua_State *L, const struct failure *f) {
    static const char *const names[] = {"error_description", "message", "error", NULL};
    size_t size;
    if (!push_body_field(L, f, names) && !push_challenge(L, f, "error_description") && !push_challenge(L, f, "error"))
        lua_pushliteral(L, "");
    const char *text = lua_tolstring(L, -1, &size);
    push_redacted(L, f, text, size, TEXT_SHOWN);
    lua_remove(L, -2);
}

/* ---- messages ---- */

/* Whether the status sends the client elsewhere: 300 offers a choice, 304 says that nothing has changed. */
static bool redirects(long status) {
    return status >= 301 && status <= 308 && status != 304;
}

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
        return status >= 500 && status < 600 ? "server" : redirects(status) ? "redirect" : "client";
    }
}

/* Pushes "plain" or "plain: words". */
static void push_with_words(lua_State *L, const struct failure *f, const char *plain) {
    push_words(L, f);
    if (lua_rawlen(L, -1) == 0)
        lua_pushstring(L, plain);
    else
        lua_pushfstring(L, "%s: %s", plain, lua_tostring(L, -1));
    lua_remove(L, -2);
}

static bool lacks_scope(lua_State *L, const struct failure *f) {
    static const char *const names[] = {"error", NULL};
    int top = lua_gettop(L);
    bool yes = (push_challenge(L, f, "error") && strcmp(lua_tostring(L, -1), "insufficient_scope") == 0) ||
               (push_body_field(L, f, names) && strcmp(lua_tostring(L, -1), "insufficient_scope") == 0);
    lua_settop(L, top);
    return yes;
}

static void push_forbidden(lua_State *L, const struct failure *f) {
    if (!lacks_scope(L, f)) {
        push_with_words(L, f, "not allowed (is the application approved, and may it see this lab?)");
        return;
    }
    if (f->asked->scope)
        lua_pushstring(L, f->asked->scope);
    else if (!push_challenge(L, f, "scope"))
        lua_pushliteral(L, "that this call needs");
    size_t size;
    const char *scope = lua_tolstring(L, -1, &size);
    push_redacted(L, f, scope, size, TEXT_SHOWN);
    lua_pushfstring(L, "the application lacks the scope %s", lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Pushes where a redirect leads: an origin, or what can be said of it. Single sign-on makes long addresses. */
static void push_target(lua_State *L, const struct failure *f) {
    char origin[300];
    size_t size = 0;
    const char *where = headers_find(&f->r->reply.headers, "location", &size);
    if (!where || size == 0) {
        lua_pushliteral(L, "an address that it does not name");
        return;
    }
    bool host = size > 1 && strchr("/\\", where[0]) && strchr("/\\", where[1]); /* of the same scheme */
    lua_pushstring(L, host ? "https:" : "");
    lua_pushlstring(L, where, size);
    lua_concat(L, 2);
    url_origin(lua_tostring(L, -1), origin, sizeof origin);
    lua_pop(L, 1);
    if (origin[0])
        push_redacted(L, f, origin, strlen(origin), TEXT_SHOWN);
    else
        lua_pushstring(L, where[0] == '/' && !host ? "another path of this host" : "an address that cannot be read");
}

static void push_redirect(lua_State *L, const struct failure *f) {
    push_target(L, f);
    lua_pushfstring(L, "redirects to %s; redirects are not followed, is base_url right?", lua_tostring(L, -1));
    lua_remove(L, -2);
}

static void push_status(lua_State *L, const struct failure *f) {
    long status = f->r->reply.status;
    if (status == 401)
        push_with_words(L, f, "the access token was not accepted");
    else if (status == 403)
        push_forbidden(L, f);
    else if (status == 404)
        push_with_words(L, f, "not found");
    else if (status == 429)
        push_with_words(L, f, "too many requests");
    else if (redirects(status))
        push_redirect(L, f);
    else if (status < 400)
        push_with_words(L, f, "not the answer that was asked for");
    else
        push_with_words(L, f, status >= 500 ? "the server failed" : "the server refused the request");
}

static void push_tls(lua_State *L, const struct failure *f) {
    const struct settings *s = &f->client->settings;
    const char *named = s->ca_file ? s->ca_file : s->ca_path ? s->ca_path : "the system's";
    lua_pushfstring(L, "the server's certificate or the TLS handshake failed: %s (authorities: %s)",
                    f->r->reply.message, named);
}

static void push_seconds(lua_State *L, const char *format, double seconds) {
    char number[32];
    snprintf(number, sizeof number, "%g", seconds);
    lua_pushfstring(L, format, number);
}

/* Pushes what libcurl says, which may quote what came. */
static void push_said(lua_State *L, const struct failure *f) {
    const char *said = f->r->reply.message;
    push_redacted(L, f, said, strlen(said), TEXT_SHOWN);
}

static void push_too_large(lua_State *L, const struct failure *f) {
    if (f->r->reply.body_over)
        lua_pushfstring(L, "the body is larger than max_body (%I bytes)", (LUAI_UACINT)f->client->settings.max_body);
    else
        lua_pushliteral(L, "the header fields are larger than the bound");
}

static void push_encoding(lua_State *L, const struct failure *f) {
    const char *encoding = f->r->reply.encoding;
    lua_pushliteral(L, "the body's encoding cannot be read: ");
    if (encoding[0]) {
        lua_pushliteral(L, "only gzip was asked for, and it is ");
        push_redacted(L, f, encoding, strlen(encoding), TEXT_SHOWN);
        lua_concat(L, 3);
    } else {
        push_said(L, f);
        lua_concat(L, 2);
    }
}

/* Pushes the message of a call without an answer. */
static void push_reason(lua_State *L, const struct failure *f) {
    switch (f->r->reply.outcome) {
    case OUTCOME_TLS:
        push_tls(L, f);
        return;
    case OUTCOME_TIMEOUT:
        lua_pushstring(L, f->r->reply.message); /* our own words */
        return;
    case OUTCOME_DEADLINE:
        push_seconds(L, "not done within the deadline of %s s", f->client->queue.deadline);
        return;
    case OUTCOME_LIMITED:
        if (f->r->retry_after > f->client->queue.retry.max_wait)
            push_seconds(L, "the service asked to wait longer than max_wait, %s s", f->client->queue.retry.max_wait);
        else
            push_seconds(L, "the service asked to wait beyond the deadline of %s s", f->client->queue.deadline);
        return;
    case OUTCOME_TOO_LARGE:
        push_too_large(L, f);
        return;
    case OUTCOME_ENCODING:
        push_encoding(L, f);
        return;
    case OUTCOME_CANCELLED:
        lua_pushliteral(L, "the call was cancelled");
        return;
    case OUTCOME_CLOSED:
        lua_pushliteral(L, "the client was closed");
        return;
    case OUTCOME_TOKEN:
        lua_pushliteral(L, "no token could be had");
        return;
    case OUTCOME_MEMORY:
        lua_pushliteral(L, "not enough memory for the transfer");
        return;
    default: /* network, the proxy's refusal */
        push_said(L, f);
    }
}

static const char *kind_of(const struct failure *f) {
    static const char *const kinds[] = {
        [OUTCOME_NETWORK] = "network",  [OUTCOME_PROXY] = "network",        [OUTCOME_TLS] = "tls",
        [OUTCOME_TIMEOUT] = "timeout",  [OUTCOME_TOO_LARGE] = "too_large",  [OUTCOME_ENCODING] = "decode",
        [OUTCOME_MEMORY] = "network",   [OUTCOME_DEADLINE] = "timeout",     [OUTCOME_CANCELLED] = "cancelled",
        [OUTCOME_CLOSED] = "cancelled", [OUTCOME_LIMITED] = "rate_limited", [OUTCOME_TOKEN] = "unauthorized",
    };
    if (f->r->reply.outcome == OUTCOME_ANSWER)
        return status_kind(f->r->reply.status);
    return kinds[f->r->reply.outcome];
}

/* Pushes the message. */
static void push_outcome(lua_State *L, const struct failure *f) {
    if (f->r->reply.outcome == OUTCOME_ANSWER)
        push_status(L, f);
    else
        push_reason(L, f);
}

/* ---- the object ---- */

/* Adds when to come back to the message on the top, with the clock time here. */
static void add_after(lua_State *L, const struct failure *f) {
    char clock[32];
    struct tm local;
    time_t then = time(NULL) + (time_t)f->r->retry_after;
    const char *form = f->r->retry_after < 86400 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S";
    if (!localtime_r(&then, &local) || strftime(clock, sizeof clock, form, &local) == 0)
        clock[0] = '\0';
    lua_pushfstring(L, "; the server asks to come back in %I s, at %s", (LUAI_UACINT)f->r->retry_after, clock);
    lua_concat(L, 2);
}

/* Sets what is known of the exchange in the error object at `object`. `response`: stack index. */
static void set_exchange(lua_State *L, int object, int response, const struct failure *f) {
    size_t size;
    const char *id = headers_find(&f->r->reply.headers, "x-request-id", &size);
    if (id) {
        push_redacted(L, f, id, size, TEXT_SHOWN);
        lua_setfield(L, object, "request_id");
    }
    lua_pushstring(L, f->r->post ? "POST" : "GET");
    lua_setfield(L, object, "method");
    lua_getiuservalue(L, response, RESPONSE_PATH);
    lua_setfield(L, object, "path");
    lua_pushinteger(L, f->r->attempts);
    lua_setfield(L, object, "attempts");
    if (f->r->reply.status) {
        lua_pushinteger(L, f->r->reply.status);
        lua_setfield(L, object, "status");
    }
    const struct buffer *body = &f->r->reply.body;
    if (body->size) {
        push_redacted(L, f, body->data, body->size, BODY_SHOWN);
        lua_setfield(L, object, "body");
    }
    if (f->r->retry_after >= 0) {
        lua_pushinteger(L, (lua_Integer)f->r->retry_after);
        lua_setfield(L, object, "retry_after");
    }
}

/* Pushes a copy of the error object on the top, which says why there is no token: one for each call that needed it. */
static void push_token_error(lua_State *L, int response, const struct failure *f) {
    int shared = lua_gettop(L);
    error_new(L, "unauthorized", "no token");
    int object = shared + 1;
    bool elsewhere = lua_getfield(L, shared, "path") != LUA_TNIL; /* it is the token endpoint's */
    lua_pop(L, 1);
    if (!elsewhere)
        set_exchange(L, object, response, f);
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

/* Makes the error object of the message on the top, and leaves it there alone above `base`. */
static void make(lua_State *L, int base, int response, const struct failure *f, const char *kind) {
    add_page(L, f->asked);
    error_new(L, kind, "%s", lua_tostring(L, -1));
    set_exchange(L, lua_gettop(L), response, f);
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

/* Puts the tokens of the client on the stack, which holds them while `f` is used. */
static struct failure begin(lua_State *L, int response, int client, const struct asked *asked) {
    struct failure f = {.r = lua_touserdata(L, response), .client = lua_touserdata(L, client), .asked = asked};
    luaL_checkstack(L, 24, "calira");
    lua_getiuservalue(L, client, CLIENT_TOKEN);
    lua_getiuservalue(L, client, CLIENT_TOKEN_BEFORE);
    f.tokens[0] = lua_tostring(L, -2);
    f.tokens[1] = lua_tostring(L, -1);
    return f;
}

void failure_push(lua_State *L, int response, int client, const struct asked *asked) {
    int base = lua_gettop(L);
    response = lua_absindex(L, response);
    client = lua_absindex(L, client);
    struct failure f = begin(L, response, client, asked);
    if (f.r->reply.outcome == OUTCOME_TOKEN && lua_getiuservalue(L, client, CLIENT_TOKEN_ERROR) == LUA_TTABLE) {
        push_token_error(L, response, &f);
        lua_replace(L, base + 1);
        lua_settop(L, base + 1);
        return;
    }
    push_outcome(L, &f);
    if (f.r->retry_after >= 0)
        add_after(L, &f);
    if (f.r->attempts > 1) {
        lua_pushfstring(L, " (after %d attempts)", f.r->attempts);
        lua_concat(L, 2);
    }
    make(L, base, response, &f, kind_of(&f));
}

void failure_decode(lua_State *L, int response, int client, const struct asked *asked) {
    int base = lua_gettop(L) - 1;
    response = lua_absindex(L, response);
    client = lua_absindex(L, client);
    struct failure f = begin(L, response, client, asked);
    lua_pushfstring(L, "the answer is not the JSON that was asked for: %s", lua_tostring(L, base + 1));
    make(L, base, response, &f, "decode");
}
