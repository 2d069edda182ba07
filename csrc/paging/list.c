#include "paging/list.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "http/client.h"

#define LIST "calira.list"
#define READING "calira.list.reading"

/* User values. OPTIONS is the table given to core.list; LAST the record delivered last. */
enum { LIST_SOURCE = 1, LIST_OPTIONS, LIST_BATCH, LIST_NODE, LIST_LAST, LIST_ERROR, LIST_VALUES = 6 };

enum list_state { LIST_OPEN, LIST_ENDED, LIST_FAILED, LIST_CLOSED };

struct list {
    struct loop *loop;
    const struct queue *queue; /* of the client, which the options hold */
    struct cond idle;          /* no coroutine is in the source any more */
    enum list_state state;
    lua_State *reader;       /* the coroutine that is in the source, to be compared only; NULL: none */
    lua_Integer place, size; /* in the batch */
    lua_Integer page;        /* the server's number of the batch's page */
    bool part;               /* more of this page follows */
    lua_Integer limit;       /* -1: none */
    lua_Integer delivered;
    bool unread; /* records were left in the batch when the list was closed or its limit reached */
};

struct reading {
    struct list *list; /* held by the user value; NULL: left */
};

/* The context of a continuation: the caller's own slots, and whether the source was called. */
enum { CALLED = 1 << 8 };

static struct list *check(lua_State *L) {
    struct list *l = luaL_testudata(L, 1, LIST);
    if (!l)
        error_throw(L, "argument", "a list is expected (got %s): use list:method() with a colon", luaL_typename(L, 1));
    loop_check_fork(l->loop);
    return l;
}

/* core.list(source, options): options: limit (nil: none), name (for tostring), finish(report) (called at the end; may raise),
 * cursor(page, id, node) (or nil), client. */
static int f_list(lua_State *L) {
    lua_settop(L, 2);
    struct list *l = lua_newuserdatauv(L, sizeof *l, LIST_VALUES);
    lua_getfield(L, 2, "client");
    *l = (struct list){.loop = loop_of(L), .queue = &client_check(L, -1)->queue, .limit = -1};
    lua_pop(L, 1);
    cond_init(&l->idle);
    luaL_setmetatable(L, LIST);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 3, LIST_SOURCE);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 3, LIST_OPTIONS);
    if (lua_getfield(L, 2, "limit") != LUA_TNIL)
        l->limit = luaL_checkinteger(L, -1);
    lua_settop(L, 3);
    return 1;
}

/* Pushes the method of the source and the source. */
static void push_source(lua_State *L, const char *method) {
    luaL_checkstack(L, 8, "calira");
    lua_getiuservalue(L, 1, LIST_SOURCE);
    lua_getfield(L, -1, method);
    lua_insert(L, -2);
}

/* ---- the end of a list ---- */

/* Lets the source go: whatever is in handle below is cancelled. */
static void leave_source(lua_State *L, struct list *l, enum list_state state) {
    l->state = state;
    l->unread = l->place < l->size;
    l->size = l->place = 0;
    cond_signal(&l->idle);
    push_source(L, "close");
    lua_call(L, 1, 0);
}

static void close_list(lua_State *L, struct list *l) {
    if (l->state == LIST_OPEN)
        leave_source(L, l, LIST_CLOSED);
}

/* Pushes the report: the source's, and what the list itself knows. */
static void push_report(lua_State *L, struct list *l) {
    push_source(L, "report");
    lua_call(L, 1, 1);
    lua_pushinteger(L, l->delivered);
    lua_setfield(L, -2, "delivered");
    static const char *const counters[] = {"filtered", "gone"};
    for (int i = 0; i < 2; i++) {
        if (lua_getfield(L, -1, counters[i]) == LUA_TNIL) {
            lua_pushinteger(L, 0);
            lua_setfield(L, -3, counters[i]);
        }
        lua_pop(L, 1);
    }
    lua_getfield(L, -1, "verdict");
    const char *found = lua_tostring(L, -1);
    bool failed = l->state == LIST_FAILED && found && strcmp(found, "complete") == 0;
    lua_pop(L, 1);
    if (l->state == LIST_OPEN || l->unread || failed) {
        lua_pushliteral(L, "partial");
        lua_setfield(L, -2, "verdict");
    }
}

/* The error object on the top, which is popped, is raised by this read, when it looks again, and by every later one. */
static void fail(lua_State *L, struct list *l) {
    lua_setiuservalue(L, 1, LIST_ERROR);
    leave_source(L, l, LIST_FAILED);
}

/* The source is at its natural end: the verdict decides whether that is said by an error. */
static void end_naturally(lua_State *L, struct list *l) {
    l->state = LIST_ENDED;
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    lua_getfield(L, -1, "finish");
    lua_replace(L, -2);
    push_report(L, l);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        fail(L, l);
    else
        cond_signal(&l->idle);
}

/* ---- reading ---- */

/* Whether another coroutine is in the source. */
static bool being_read(lua_State *L, struct list *l) {
    if (l->reader == L)
        error_throw(L, "argument", "a function given to a list may not read the same list");
    return l->reader != NULL;
}

/* Closes what a reader holds while it is in the source: whether it came back, was closed there or was dropped, the list
 * is free for the others. */
static int reading_close(lua_State *L) {
    struct reading *r = luaL_checkudata(L, 1, READING);
    struct list *l = r->list;
    r->list = NULL;
    if (l) {
        l->reader = NULL;
        cond_signal(&l->idle);
    }
    return 0;
}

/* Pushes that, to be closed. */
static void push_reading(lua_State *L, struct list *l) {
    struct reading *r = lua_newuserdatauv(L, sizeof *r, 1);
    r->list = NULL;
    luaL_setmetatable(L, READING);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_toclose(L, -1);
    r->list = l;
    l->reader = L;
}

/* What the source's batch() brought, above slot `base` + 1: sets the list's state accordingly. `status`: of the protected call. */
static void take_batch(lua_State *L, struct list *l, int base, int status) {
    const int records = base + 2, page = base + 3, node = base + 4, part = base + 5;
    lua_closeslot(L, base + 1);
    if (status != LUA_OK && status != LUA_YIELD) {
        if (!error_is(L, -1))
            lua_error(L); /* interrupted, or no memory: the list is as it was */
        if (l->state == LIST_OPEN && !l->queue->closed)
            fail(L, l);
        return; /* else it was closed meanwhile, which is what its reader is told */
    }
    lua_settop(L, part);
    if (lua_isboolean(L, records)) { /* a function of the user's failed, and may have closed the list before */
        close_list(L, l);
        l->unread = true;
        lua_settop(L, page);
        lua_error(L);
    }
    if (l->state != LIST_OPEN)
        return;
    if (lua_isnil(L, records)) {
        end_naturally(L, l);
    } else {
        l->place = 0;
        l->size = (lua_Integer)lua_rawlen(L, records);
        l->page = lua_tointeger(L, page);
        l->part = lua_toboolean(L, part);
        lua_pushvalue(L, node);
        lua_setiuservalue(L, 1, LIST_NODE);
        lua_pushvalue(L, records);
        lua_setiuservalue(L, 1, LIST_BATCH);
    }
}

/* Calls the source for another batch; `k` with CALLED in its context goes on. The caller's slots: those up to `base`. */
static void call_source(lua_State *L, struct list *l, int base, lua_KFunction k) {
    push_reading(L, l);
    push_source(L, "batch");
    int status = lua_pcallk(L, 1, LUA_MULTRET, 0, base | CALLED, k);
    take_batch(L, l, base, status);
    lua_settop(L, base);
}

static bool limit_reached(const struct list *l) {
    return l->limit >= 0 && l->delivered >= l->limit;
}

/* Raises where the list may not be read any more; false: it is at its end. */
static bool readable(lua_State *L, struct list *l) {
    if (l->queue->closed)
        close_list(L, l);
    if (l->state == LIST_FAILED) {
        lua_getiuservalue(L, 1, LIST_ERROR);
        lua_error(L);
    }
    if (l->state == LIST_CLOSED)
        error_throw(L, "closed", "the list is closed");
    return l->state == LIST_OPEN;
}

/* Whether there is something to read: a record, or, for `pages`, any batch. Calls the source if need be. */
static bool fill(lua_State *L, struct list *l, int base, lua_KFunction k) {
    while (readable(L, l)) {
        if (limit_reached(l)) {
            leave_source(L, l, LIST_ENDED);
            return false;
        }
        if (l->place < l->size)
            return true;
        if (being_read(L, l))
            wait_on(L, l->loop, &l->idle, base, k);
        else
            call_source(L, l, base, k);
        lua_settop(L, base);
    }
    return false;
}

/* The beginning of every continuation: what the source brought, if it was called. */
static struct list *resume(lua_State *L, int status, lua_KContext ctx) {
    struct list *l = lua_touserdata(L, 1);
    if (ctx & CALLED)
        take_batch(L, l, (int)(ctx & ~CALLED), status);
    lua_settop(L, (int)(ctx & ~CALLED));
    return l;
}

/* Pushes the next record and its node; the batch holds one. */
static void take_record(lua_State *L, struct list *l) {
    lua_getiuservalue(L, 1, LIST_BATCH);
    lua_rawgeti(L, -1, ++l->place);
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST_LAST);
    lua_getiuservalue(L, 1, LIST_NODE);
    l->delivered++;
}

/* A reached limit ends the list at once, so that nothing goes on in handle. */
static void settle_limit(lua_State *L, struct list *l) {
    if (limit_reached(l) && l->state == LIST_OPEN)
        leave_source(L, l, LIST_ENDED);
}

/* Pushes the next record and, if there is one, its node; nil at the end. Returns how many values. */
static int push_next(lua_State *L, struct list *l, lua_KFunction k) {
    if (!fill(L, l, 1, k)) {
        lua_pushnil(L);
        return 1;
    }
    take_record(L, l);
    settle_limit(L, l);
    return lua_isnil(L, 3) ? (lua_settop(L, 2), 1) : 2;
}

static int next_k(lua_State *L, int status, lua_KContext ctx) {
    struct list *l = resume(L, status, ctx);
    return push_next(L, l, next_k);
}

/* list:next(), and the list called by a loop: record [, node], or nil at the end. May wait. */
static int list_next(lua_State *L) {
    check(L);
    return next_k(L, LUA_OK, 1);
}

/* Slots: the list, the array, the nodes. */
static int collect_k(lua_State *L, int status, lua_KContext ctx) {
    struct list *l = resume(L, status, ctx);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    while (fill(L, l, 3, collect_k)) {
        take_record(L, l);
        count++;
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        else
            lua_rawseti(L, 3, count);
        lua_rawseti(L, 2, count);
    }
    if (lua_rawlen(L, 3) == 0)
        lua_settop(L, 2);
    return lua_gettop(L) - 1;
}

/* list:collect(): an array of what was not delivered yet [, an array of the nodes]. May wait. */
static int list_collect(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    return collect_k(L, LUA_OK, 3);
}

static int first_k(lua_State *L, int status, lua_KContext ctx) {
    struct list *l = resume(L, status, ctx);
    int results = push_next(L, l, first_k);
    close_list(L, l);
    return results;
}

/* list:first(): next(), then close(). Asks for no page that it does not need. May wait. */
static int list_first(lua_State *L) {
    struct list *l = check(L);
    lua_settop(L, 1);
    if (l->state == LIST_OPEN) {
        push_source(L, "want");
        lua_pushinteger(L, 1);
        lua_call(L, 2, 0);
    }
    return first_k(L, LUA_OK, 1);
}

/* ---- pages ---- */

/* Moves what is left of the batch to the end of the array in slot 2. */
static void take_rest(lua_State *L, struct list *l) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    while (l->place < l->size && !limit_reached(l)) {
        take_record(L, l);
        lua_pop(L, 1);
        lua_rawseti(L, 2, ++count);
    }
}

/* Slots: the list, the array. An empty page counts too, so this asks for batches, not for records; l->page is the array's
 * until another batch is taken. Where a part of a page fails, the parts before it are delivered first. */
static int pages_k(lua_State *L, int status, lua_KContext ctx) {
    struct list *l = resume(L, status, ctx);
    bool got = ctx & CALLED && l->state == LIST_OPEN;
    while (lua_rawlen(L, 2) > 0 ? l->state == LIST_OPEN : readable(L, l)) {
        got |= l->place < l->size;
        take_rest(L, l);
        settle_limit(L, l);
        if (l->state != LIST_OPEN || (got && !l->part))
            break;
        if (being_read(L, l)) {
            wait_on(L, l->loop, &l->idle, 2, pages_k);
        } else {
            call_source(L, l, 2, pages_k);
            got = l->state == LIST_OPEN;
        }
        lua_settop(L, 2);
    }
    if (!got && lua_rawlen(L, 2) == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, l->page);
    lua_pushvalue(L, 2);
    lua_getiuservalue(L, 1, LIST_NODE);
    return 3;
}

static int pages_next(lua_State *L) {
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    check(L);
    lua_newtable(L);
    return pages_k(L, LUA_OK, 2);
}

/* list:pages(): for a loop: the server's page number, the records it adds, the node. Leaving the loop closes the list. */
static int list_pages(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, pages_next, 1);
    lua_settop(L, 4); /* two nils */
    lua_pushvalue(L, 1);
    return 4;
}

/* ---- what is known of it ---- */

static int total_k(lua_State *L, int status, lua_KContext ctx) {
    (void)L, (void)status, (void)ctx;
    return 1; /* of the source's total(), asked for one value */
}

/* list:total(): the server's count, whatever the filters, or nil. May wait. */
static int list_total(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    push_source(L, "total");
    lua_callk(L, 1, 1, 0, total_k);
    return total_k(L, LUA_OK, 0);
}

/* list:progress(): received (before filters), total or nil, lists finished, lists in all. */
static int list_progress(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    push_source(L, "progress");
    lua_call(L, 1, 4);
    return 4;
}

/* list:report(): how complete the walk is so far. CONTRACT section 5. */
static int list_report(lua_State *L) {
    push_report(L, check(L));
    return 1;
}

/* list:cursor(): a text to go on after the record delivered last, or nil. */
static int list_cursor(lua_State *L) {
    struct list *l = check(L);
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    if (lua_getfield(L, -1, "cursor") != LUA_TFUNCTION)
        return 0;
    if (l->page)
        lua_pushinteger(L, l->page);
    else
        lua_pushnil(L);
    if (lua_getiuservalue(L, 1, LIST_LAST) == LUA_TTABLE)
        lua_getfield(L, -1, "id");
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    lua_getiuservalue(L, 1, LIST_NODE);
    lua_call(L, 3, 1);
    return 1;
}

/* list:close(): ends it and cancels what is in handle. The body of __close too. */
static int list_close(lua_State *L) {
    close_list(L, check(L));
    return 0;
}

/* Its source is collected with it, and cancels what is in handle. */
static int list_gc(lua_State *L) {
    struct list *l = luaL_checkudata(L, 1, LIST);
    cond_close(&l->idle);
    return 0;
}

static int list_tostring(lua_State *L) {
    static const char *const states[] = {"open", "ended", "failed", "closed"};
    struct list *l = check(L);
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    lua_getfield(L, -1, "name");
    lua_pushfstring(L, "calira.list: %s (%s, %I delivered)", luaL_optstring(L, -1, "?"), states[l->state],
                    (LUAI_UACINT)l->delivered);
    return 1;
}

static int list_index(lua_State *L) {
    check(L);
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) == LUA_TNIL)
        error_throw(L, "argument", "a list has no field %s: loop over it, or make an array of it with list:collect()",
                    luaL_tolstring(L, 2, NULL));
    return 1;
}

static int list_len(lua_State *L) {
    return error_throw(L, "argument", "a list has no length: use list:total(), or #list:collect()");
}

void list_open(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"next", list_next},     {"collect", list_collect},
        {"first", list_first},   {"total", list_total},
        {"report", list_report}, {"close", list_close},
        {"cursor", list_cursor}, {"progress", list_progress},
        {"pages", list_pages},   {NULL, NULL},
    };
    static const luaL_Reg reading[] = {{"__gc", reading_close}, {"__close", reading_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", list_gc},   {"__close", list_close}, {"__tostring", list_tostring},
        {"__len", list_len}, {"__call", list_next},   {NULL, NULL},
    };
    lua_pushcfunction(L, f_list);
    lua_setfield(L, -2, "list");
    luaL_newmetatable(L, READING);
    luaL_setfuncs(L, reading, 0);
    lua_pop(L, 1);
    luaL_newmetatable(L, LIST);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, list_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
