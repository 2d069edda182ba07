#include "http/trace.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY "calira.trace.entry"

enum { MOST_UNTOLD = 1000 };

struct entry {
    struct entry *next;
    struct trace_event event; /* its texts point into `texts` */
    char texts[];
};

struct trace {
    struct entry *first, **last;
    int count;
};

struct trace *trace_new(void) {
    struct trace *t = malloc(sizeof *t);
    if (t)
        *t = (struct trace){.last = &t->first};
    return t;
}

static struct entry *take(struct trace *t) {
    struct entry *e = t->first;
    if (!e)
        return NULL;
    t->first = e->next;
    if (!t->first)
        t->last = &t->first;
    t->count--;
    return e;
}

void trace_free(struct trace *t) {
    struct entry *e;
    while (t && (e = take(t)) != NULL)
        free(e);
    free(t);
}

/* Overwrites the secret wherever the text holds it. */
static char *mask(char *text, const char *secret) {
    for (char *at = text; secret && *secret && (at = strstr(at, secret)) != NULL;)
        memset(at, '*', strlen(secret));
    return text;
}

void trace_record(struct trace *t, const struct trace_event *event) {
    if (!t || t->count >= MOST_UNTOLD)
        return;
    size_t path = event->path ? strlen(event->path) + 1 : 0;
    size_t message = event->message ? strlen(event->message) + 1 : 0;
    struct entry *e = malloc(sizeof *e + path + message);
    if (!e)
        return;
    *e = (struct entry){.event = *event};
    if (path)
        e->event.path = mask(memcpy(e->texts, event->path, path), event->secret);
    e->event.secret = NULL;
    if (message)
        e->event.message = memcpy(e->texts + path, event->message, message);
    *t->last = e;
    t->last = &e->next;
    t->count++;
}

bool trace_pending(const struct trace *t) {
    return t && t->first;
}

static void set_string(lua_State *L, const char *name, const char *value) {
    if (!value)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static int entry_gc(lua_State *L) {
    struct entry **e = lua_touserdata(L, 1);
    free(*e);
    *e = NULL;
    return 0;
}

void trace_open(lua_State *L) {
    luaL_newmetatable(L, ENTRY);
    lua_pushcfunction(L, entry_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* The entry is taken out into a userdata first: making a table of it may run code that takes the next one. */
bool trace_take(lua_State *L, struct trace *t) {
    struct entry **box = lua_newuserdatauv(L, sizeof(struct entry *), 0); // NOLINT: a pointer is what it holds
    *box = NULL;
    luaL_setmetatable(L, ENTRY);
    *box = take(t);
    if (!*box) {
        lua_pop(L, 1);
        return false;
    }
    const struct trace_event *e = &(*box)->event;
    lua_createtable(L, 0, 8);
    set_string(L, "event", e->event);
    set_string(L, "path", e->path);
    if (e->path)
        set_string(L, "method", e->post ? "POST" : "GET");
    set_string(L, "message", e->message);
    if (e->attempt) {
        lua_pushinteger(L, e->attempt);
        lua_setfield(L, -2, "attempt");
    }
    if (e->status) {
        lua_pushinteger(L, e->status);
        lua_setfield(L, -2, "status");
    }
    if (e->limit) {
        lua_pushinteger(L, e->limit);
        lua_setfield(L, -2, "limit");
    }
    if (e->rate > 0) {
        lua_pushnumber(L, e->rate);
        lua_setfield(L, -2, "rate");
    }
    if (e->seconds >= 0) {
        lua_pushnumber(L, e->seconds);
        lua_setfield(L, -2, "seconds");
    }
    lua_remove(L, -2);
    return true;
}
