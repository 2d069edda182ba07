#include "paging/list.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "http/client.h"

#define LIST "calira.list"
#define READING "calira.list.reading"

/* User values. OPTIONS is the table given to core.list; LAST the record delivered last; READER who is in the source. */
enum { LIST_SOURCE = 1, LIST_OPTIONS, LIST_BATCH, LIST_NODE, LIST_LAST, LIST_ERROR, LIST_READER, LIST_VALUES = 7 };

enum list_state { LIST_OPEN, LIST_ENDED, LIST_FAILED, LIST_CLOSED };

struct list {
    struct loop *loop;
    const struct queue *queue; /* of the client, which the options hold */
    struct cond idle;          /* no coroutine is in the source any more */
    enum list_state state;
    bool reading;            /* a coroutine is in the source */
    bool source_closed;      /* the source was told to let go of what is in flight */
    lua_Integer batches;     /* batches taken */
    lua_Integer place, size; /* in the batch */
    lua_Integer page;        /* the server's number of the batch's page */
    bool part;               /* more of this page follows */
    lua_Integer limit;       /* -1: none */
    lua_Integer delivered;
    bool unread; /* records were left in the batch when the list was closed or its limit reached */
};

/* What a reader holds while it is in the source. */
struct visit {
    struct list *list; /* held by the user value; NULL: left */
};

static struct list *check(lua_State *L) {
    struct list *l = luaL_testudata(L, 1, LIST);
    if (!l)
        error_throw(L, "argument", "a list is expected (got %s): use list:method() with a colon", luaL_typename(L, 1));
    loop_check_fork(l->loop);
    return l;
}

/* core.list(source, options): options: limit (nil: none), name (for tostring), finish(report) (called at the end; may raise),
 * cursor(page, id, node) (or nil), client, under (whether each record has a node). */
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

/* Lets the source go: whatever is in flight below is cancelled. */
static void close_source(lua_State *L, struct list *l) {
    if (l->source_closed)
        return;
    push_source(L, "close");
    lua_call(L, 1, 0);
    l->source_closed = true;
}

static void leave_source(lua_State *L, struct list *l, enum list_state state) {
    l->state = state;
    l->unread = l->place < l->size;
    l->size = l->place = 0;
    cond_signal(&l->idle);
    close_source(L, l);
}

static void close_list(lua_State *L, struct list *l) {
    if (l->state == LIST_OPEN)
        leave_source(L, l, LIST_CLOSED);
    close_source(L, l);
}

/* Pushes the report: the source's, and what the list itself knows. `ended`: the source is at its end. */
static void push_report(lua_State *L, struct list *l, bool ended) {
    push_source(L, "report");
    lua_call(L, 1, 1);
    lua_pushinteger(L, l->delivered);
    lua_setfield(L, -2, "delivered");
    static const char *const counters[] = {"filtered", "gone", "undetailed", "unreadable", "accounts"};
    for (int i = 0; i < 5; i++) {
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
    if ((l->state == LIST_OPEN && !ended) || l->unread || failed) {
        lua_pushliteral(L, "partial");
        lua_setfield(L, -2, "verdict");
    }
}

/* The error object on the top, which is popped, is raised by this read, when it looks again, and by every later one. */
static void fail(lua_State *L, struct list *l) {
    lua_setiuservalue(L, 1, LIST_ERROR);
    leave_source(L, l, LIST_FAILED);
}

/* The source is at its natural end: the verdict decides whether that is said by an error. An interrupt leaves the list open:
 * the source will be at its end again. */
static void end_naturally(lua_State *L, struct list *l) {
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    lua_getfield(L, -1, "finish");
    lua_replace(L, -2);
    push_report(L, l, true);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        if (!error_is(L, -1))
            lua_error(L);
        fail(L, l);
        return;
    }
    l->state = LIST_ENDED;
    cond_signal(&l->idle);
}

/* ---- the source ---- */

/* The reader is in the source no more. */
static void leave(struct visit *v) {
    struct list *l = v->list;
    v->list = NULL;
    if (l) {
        l->reading = false;
        cond_signal(&l->idle);
    }
}

/* Closes what a reader holds while it is in the source: whether it came back, was closed there or was dropped, the list
 * is free for the others. */
static int visit_close(lua_State *L) {
    leave(luaL_checkudata(L, 1, READING));
    return 0;
}

/* Pushes that, to be closed. */
static void push_visit(lua_State *L, struct list *l) {
    struct visit *v = lua_newuserdatauv(L, sizeof *v, 1);
    v->list = NULL;
    luaL_setmetatable(L, READING);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    wait_push_strand(L);
    if (l->reading)
        error_throw(L, "argument", "the list is being read"); /* since a moment ago */
    lua_setiuservalue(L, 1, LIST_READER);
    lua_toclose(L, -1);
    v->list = l;
    l->reading = true;
}

/* Slots of fetch. */
enum { FETCH_LIST = 1, FETCH_VISIT, FETCH_RECORDS, FETCH_PAGE, FETCH_NODE, FETCH_PART };

/* An error came out of the source. One of ours is the list's from now on; any other passes, and the list is as it was: the
 * source gives the batch that its reader misses once more. */
static int take_error(lua_State *L, struct list *l) {
    if (!error_is(L, -1))
        return lua_error(L);
    if (l->state == LIST_OPEN && !l->queue->closed)
        fail(L, l);
    return 0; /* else it was closed meanwhile, which is what its reader is told */
}

/* What the source's batch() brought: sets the list's state accordingly. */
static int fetch_k(lua_State *L, int status, lua_KContext ctx) {
    (void)ctx;
    struct list *l = lua_touserdata(L, FETCH_LIST);
    leave(lua_touserdata(L, FETCH_VISIT)); /* first: to close the slot is a call, which a hook's error can prevent */
    lua_closeslot(L, FETCH_VISIT);
    if (status != LUA_OK && status != LUA_YIELD)
        return take_error(L, l);
    lua_settop(L, FETCH_PART);
    if (lua_isboolean(L, FETCH_RECORDS)) { /* a function of the user's failed, and may have closed the list before */
        close_list(L, l);
        l->unread = true;
        lua_settop(L, FETCH_PAGE);
        return lua_error(L);
    }
    if (l->state != LIST_OPEN)
        return 0;
    if (lua_isnil(L, FETCH_RECORDS)) {
        end_naturally(L, l);
        return 0;
    }
    /* from here on nothing can raise: the batch is taken as a whole */
    l->place = 0;
    l->size = (lua_Integer)lua_rawlen(L, FETCH_RECORDS);
    l->page = lua_tointeger(L, FETCH_PAGE);
    l->part = lua_toboolean(L, FETCH_PART);
    l->batches++;
    lua_settop(L, FETCH_NODE);
    lua_setiuservalue(L, FETCH_LIST, LIST_NODE);
    lua_settop(L, FETCH_RECORDS);
    lua_setiuservalue(L, FETCH_LIST, LIST_BATCH);
    return 0;
}

/* (list): takes the next batch of its source. */
static int fetch(lua_State *L) {
    struct list *l = lua_touserdata(L, FETCH_LIST);
    push_visit(L, l);
    push_source(L, "batch");
    if (lua_getiuservalue(L, 1, LIST_BATCH) == LUA_TNIL) { /* nothing yet */
        lua_pushboolean(L, 0);
        lua_replace(L, -2);
    }
    return fetch_k(L, lua_pcallk(L, 2, LUA_MULTRET, 0, 0, fetch_k), 0);
}

static bool may_fetch(const void *what) {
    const struct list *l = what;
    return !l->reading || l->state != LIST_OPEN;
}

/* Has the next batch taken, or waits until another reader's is: the caller looks again at the list then. */
static void advance(lua_State *L, struct list *l, lua_KContext ctx, lua_KFunction k) {
    luaL_checkstack(L, 8, "calira");
    if (l->reading) {
        lua_getiuservalue(L, 1, LIST_READER);
        wait_check_strand(L, "a function given to a list may not read the same list");
        wait_until(L, l->loop, &l->idle, may_fetch, l, ctx, k);
    } else {
        lua_pushcfunction(L, fetch);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 0, ctx, k);
    }
}

/* ---- reading ---- */

static bool limit_reached(const struct list *l) {
    return l->limit >= 0 && l->delivered >= l->limit;
}

/* Raises where the list may not be read any more; false: it is at its end. */
static bool readable(lua_State *L, struct list *l) {
    if (l->queue->closed || l->source_closed)
        close_list(L, l);
    if (l->state == LIST_FAILED) {
        close_source(L, l);
        lua_getiuservalue(L, 1, LIST_ERROR);
        lua_error(L);
    }
    if (l->state == LIST_CLOSED)
        error_throw(L, "closed", "the list is closed");
    return l->state == LIST_OPEN;
}

/* Whether there is a record to take. Has batches taken until there is; the caller's slots are those up to `base`. */
static bool fill(lua_State *L, struct list *l, int base, lua_KFunction k) {
    lua_settop(L, base);
    while (readable(L, l)) {
        if (limit_reached(l)) {
            leave_source(L, l, LIST_ENDED);
            return false;
        }
        if (l->place < l->size)
            return true;
        advance(L, l, 0, k);
        lua_settop(L, base);
    }
    return false;
}

/* Pushes the next record and its node; the batch holds one. */
static void take_record(lua_State *L, struct list *l) {
    luaL_checkstack(L, 4, "calira");
    lua_getiuservalue(L, 1, LIST_BATCH);
    lua_rawgeti(L, -1, ++l->place);
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST_LAST);
    lua_getiuservalue(L, 1, LIST_NODE);
    l->delivered++;
}

/* A reached limit ends the list at once, so that nothing goes on in flight. */
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
    (void)status, (void)ctx;
    return push_next(L, lua_touserdata(L, 1), next_k);
}

/* list:next(), and the list called by a loop: record [, node], or nil at the end. May wait. */
static int list_next(lua_State *L) {
    check(L);
    return next_k(L, LUA_OK, 0);
}

/* Slots: the list, the array, the nodes. */
static int collect_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct list *l = lua_touserdata(L, 1);
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
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    bool under = lua_getfield(L, -1, "under") != LUA_TNIL;
    lua_settop(L, under ? 3 : 2);
    return under ? 2 : 1;
}

/* list:collect(): an array of what was not delivered yet [, an array of the nodes]. May wait. */
static int list_collect(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    return collect_k(L, LUA_OK, 0);
}

static int first_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct list *l = lua_touserdata(L, 1);
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
    return first_k(L, LUA_OK, 0);
}

/* ---- pages ---- */

/* What pages() has of the page that it gathers. */
enum gathering { GATHERING, READY, OVER };

/* Moves what is left of the batch to the end of the array in slot 2. */
static void take_rest(lua_State *L, struct list *l) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    while (l->place < l->size && !limit_reached(l)) {
        take_record(L, l);
        lua_pop(L, 1);
        lua_rawseti(L, 2, ++count);
    }
}

/* An empty page counts too, so this looks at batches, not at records: `before` is the number of batches taken before. Where
 * a part of a page fails, the parts before it are delivered first. */
static enum gathering gather(lua_State *L, struct list *l, lua_Integer before) {
    bool some = lua_rawlen(L, 2) > 0;
    bool got = some || l->batches > before || l->place < l->size;
    if (some ? l->state != LIST_OPEN : !readable(L, l))
        return some || l->batches > before ? READY : OVER;
    take_rest(L, l);
    settle_limit(L, l);
    if (l->state != LIST_OPEN)
        return got ? READY : OVER;
    return got && !l->part ? READY : GATHERING;
}

/* Slots: the list, the array. */
static int pages_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct list *l = lua_touserdata(L, 1);
    enum gathering state;
    lua_settop(L, 2);
    while ((state = gather(L, l, (lua_Integer)ctx)) == GATHERING) {
        advance(L, l, ctx, pages_k);
        lua_settop(L, 2);
    }
    if (state == OVER) {
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
    struct list *l = check(L);
    lua_newtable(L);
    return pages_k(L, LUA_OK, (lua_KContext)l->batches);
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
    push_report(L, check(L), false);
    return 1;
}

/* list:cursor(): a text to go on after the record delivered last, or nil. */
static int list_cursor(lua_State *L) {
    struct list *l = check(L);
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    if (lua_getfield(L, -1, "cursor") != LUA_TFUNCTION) {
        lua_pushnil(L);
        return 1;
    }
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
    cond_signal(&l->idle);
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
    static const luaL_Reg visit[] = {{"__gc", visit_close}, {"__close", visit_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", list_gc},   {"__close", list_close}, {"__tostring", list_tostring},
        {"__len", list_len}, {"__call", list_next},   {NULL, NULL},
    };
    lua_pushcfunction(L, f_list);
    lua_setfield(L, -2, "list");
    luaL_newmetatable(L, READING);
    luaL_setfuncs(L, visit, 0);
    lua_pop(L, 1);
    luaL_newmetatable(L, LIST);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, list_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
