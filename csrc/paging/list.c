#include "paging/list.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "paging/source.h"

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

/* ---- reading ---- */

static bool limit_reached(const struct list *l) {
    return l->limit >= 0 && l->delivered >= l->limit;
}

/* Raises where the list may not be read any more; false: it is at its end. */
static bool readable(lua_State *L, struct list *l) {
    if (l->queue->closed)
        source_close_list(L, l);
    if (l->state == LIST_FAILED) {
        source_close(L, l);
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
            source_leave(L, l, LIST_ENDED);
            return false;
        }
        if (l->place < l->size)
            return true;
        source_advance(L, l, 0, k);
        lua_settop(L, base);
    }
    return false;
}

/* Pushes the next record, which the batch holds. Runs no other code; the record is delivered only by commit() or hold(), so that an
 * error in between leaves it to be read again. The caller has made room on the stack. */
static void push_record(lua_State *L, const struct list *l) {
    lua_getiuservalue(L, 1, LIST_BATCH);
    lua_rawgeti(L, -1, l->place + 1);
    lua_remove(L, -2);
}

/* The record on the top is delivered. */
static void commit(lua_State *L, struct list *l) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST_LAST);
    l->place++;
    l->delivered++;
}

/* The record on the top is in an array that the caller gets later, or never: until then the cursor stays before it. */
static void hold(lua_State *L, struct list *l) {
    if (l->held == 0) {
        lua_getiuservalue(L, 1, LIST_LAST);
        lua_setiuservalue(L, 1, LIST_MARK);
        lua_getiuservalue(L, 1, LIST_NODE);
        lua_setiuservalue(L, 1, LIST_MARK_NODE);
        l->mark_page = l->page;
    }
    commit(L, l);
    l->held++;
}

/* A reached limit ends the list at once, so that nothing goes on in flight. */
static void settle_limit(lua_State *L, struct list *l) {
    if (limit_reached(l) && l->state == LIST_OPEN)
        source_leave(L, l, LIST_ENDED);
}

/* Pushes the next record and, if there is one, its node; nil at the end. Returns how many values. `last`: the list is closed
 * then. What is in flight is let go before a last record is taken: an interrupt leaves it to be read again. */
static int push_next(lua_State *L, struct list *l, bool last, lua_KFunction k) {
    while (fill(L, l, 1, k)) {
        luaL_checkstack(L, 4, "calira");
        if (!l->source_closed && (last || (l->limit >= 0 && l->delivered + 1 >= l->limit))) {
            source_close(L, l);
            continue; /* whatever ran meanwhile may have read the list */
        }
        push_record(L, l);
        commit(L, l);
        lua_getiuservalue(L, 1, LIST_NODE);
        settle_limit(L, l);
        return lua_isnil(L, 3) ? (lua_settop(L, 2), 1) : 2;
    }
    lua_pushnil(L);
    return 1;
}

static int next_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    return push_next(L, lua_touserdata(L, 1), false, next_k);
}

/* list:next(), and the list called by a loop: record [, node], or nil at the end. May wait. */
static int list_next(lua_State *L) {
    check(L);
    return next_k(L, LUA_OK, 0);
}

/* Pushes what this coroutine, or one that is dead, had gathered when it was interrupted: the table at the index `gathered` has it by
 * coroutine. Else a new table, which is entered there. */
static void push_gathered(lua_State *L, int gathered) {
    bool found = false;
    luaL_checkstack(L, 4, "calira");
    for (lua_pushnil(L); !found && lua_next(L, gathered);) {
        lua_State *other = lua_tothread(L, -2);
        lua_Debug frame;
        if (other == L)
            return;
        if (lua_status(other) == LUA_YIELD || lua_getstack(other, 0, &frame)) {
            lua_pop(L, 1); /* it is gathering */
            continue;
        }
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, gathered);
        found = true;
    }
    if (!found)
        lua_newtable(L);
    lua_pushthread(L);
    lua_pushvalue(L, -2);
    lua_rawset(L, gathered);
}

/* The caller gets what this coroutine gathered: the array in slot 2. */
static void release(lua_State *L, struct list *l, int gathered) {
    lua_pushthread(L);
    lua_pushnil(L);
    lua_rawset(L, gathered);
    l->held -= (lua_Integer)lua_rawlen(L, 2);
}

/* Slots: the list, the array, the nodes, what coroutines collect. */
static int collect_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct list *l = lua_touserdata(L, 1);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
    while (fill(L, l, 4, collect_k)) {
        luaL_checkstack(L, 4, "calira");
        if (lua_getiuservalue(L, 1, LIST_NODE) != LUA_TNIL) /* first: should memory run out, the record is not taken */
            lua_rawseti(L, 3, count + 1);
        push_record(L, l);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++count);
        hold(L, l);
    }
    release(L, l, 4);
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
    if (lua_getiuservalue(L, 1, LIST_COLLECTED) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, LIST_COLLECTED);
    }
    lua_insert(L, 2);
    lua_settop(L, 2);
    push_gathered(L, 2); /* a table of the array and the nodes */
    lua_insert(L, 3);
    lua_settop(L, 3);
    for (int i = 1; i <= 2; i++) {
        if (lua_rawgeti(L, 3, i) == LUA_TTABLE)
            continue;
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 3, i);
    }
    lua_rotate(L, 2, 2); /* these two first */
    lua_settop(L, 4);
    return collect_k(L, LUA_OK, 0);
}

static int first_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct list *l = lua_touserdata(L, 1);
    int results = push_next(L, l, true, first_k);
    source_close_list(L, l);
    return results;
}

/* list:first(): next(), then close(). Asks for no page that it does not need. May wait. */
static int list_first(lua_State *L) {
    struct list *l = check(L);
    lua_settop(L, 1);
    if (l->state == LIST_OPEN) {
        source_push(L, "want");
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
    luaL_checkstack(L, 4, "calira");
    while (l->place < l->size && !limit_reached(l)) {
        push_record(L, l);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++count);
        hold(L, l);
        lua_pop(L, 1);
    }
}

/* An empty page counts too, so this looks at batches, not at records: `before` is the number of batches taken before. Where
 * a part of a page fails, the parts before it are delivered first. */
static enum gathering gather(lua_State *L, struct list *l, lua_Integer before) {
    if (l->queue->closed)
        source_close_list(L, l);
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
        source_advance(L, l, ctx, pages_k);
        lua_settop(L, 2);
    }
    release(L, l, lua_upvalueindex(2));
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
    push_gathered(L, lua_upvalueindex(2));
    lua_insert(L, 2);
    return pages_k(L, LUA_OK, (lua_KContext)l->batches);
}

/* list:pages(): for a loop: the server's page number, the records it adds, the node. Leaving the loop closes the list. */
static int list_pages(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_newtable(L);
    lua_pushcclosure(L, pages_next, 2);
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
    source_push(L, "total");
    lua_callk(L, 1, 1, 0, total_k);
    return total_k(L, LUA_OK, 0);
}

/* list:progress(): received (before filters), total or nil, lists finished, lists in all. */
static int list_progress(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    source_push(L, "progress");
    lua_call(L, 1, 4);
    return 4;
}

/* list:report(): how complete the walk is so far. CONTRACT section 5. */
static int list_report(lua_State *L) {
    source_report(L, check(L), false);
    return 1;
}

/* list:cursor(): a text to go on after the record delivered last, or nil. Where an array is under way, or was given up, it is that
 * before the array's first record. */
static int list_cursor(lua_State *L) {
    struct list *l = check(L);
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    if (lua_getfield(L, -1, "cursor") != LUA_TFUNCTION) {
        lua_pushnil(L);
        return 1;
    }
    bool held = l->held > 0;
    lua_Integer page = held ? l->mark_page : l->page;
    if (page)
        lua_pushinteger(L, page);
    else
        lua_pushnil(L);
    if (lua_getiuservalue(L, 1, held ? LIST_MARK : LIST_LAST) == LUA_TTABLE)
        lua_getfield(L, -1, "id");
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    lua_getiuservalue(L, 1, held ? LIST_MARK_NODE : LIST_NODE);
    lua_call(L, 3, 1);
    return 1;
}

/* list:close(): ends it and cancels what is in handle. The body of __close too. */
static int list_close(lua_State *L) {
    source_close_list(L, check(L));
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
    static const luaL_Reg meta[] = {
        {"__gc", list_gc},   {"__close", list_close}, {"__tostring", list_tostring},
        {"__len", list_len}, {"__call", list_next},   {NULL, NULL},
    };
    lua_pushcfunction(L, f_list);
    lua_setfield(L, -2, "list");
    source_open(L);
    luaL_newmetatable(L, LIST);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, list_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
