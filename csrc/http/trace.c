#include "http/trace.h"

#include <stdlib.h>
#include <string.h>

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
        e->event.path = memcpy(e->texts, event->path, path);
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

/* The entry's texts become Lua strings before it is freed; should that raise, the entry is still the trace's. */
bool trace_take(lua_State *L, struct trace *t) {
    if (!trace_pending(t))
        return false;
    const struct trace_event *e = &t->first->event;
    lua_createtable(L, 0, 8);
    set_string(L, "event", e->event);
    set_string(L, "path", e->path);
    if (e->path) {
        lua_pushliteral(L, "GET");
        lua_setfield(L, -2, "method");
    }
    set_string(L, "message", e->message);
    if (e->attempt) {
        lua_pushinteger(L, e->attempt);
        lua_setfield(L, -2, "attempt");
    }
    if (e->status) {
        lua_pushinteger(L, e->status);
        lua_setfield(L, -2, "status");
    }
    if (e->seconds >= 0) {
        lua_pushnumber(L, e->seconds);
        lua_setfield(L, -2, "seconds");
    }
    free(take(t));
    return true;
}
