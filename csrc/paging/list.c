#include "paging/list.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"
#include "paging/gathered.h"
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

/* Pushes the next record, which the batch holds. Runs no other code; the record is taken only by commit(), so that an
 * error in between leaves it to be read again. The caller has made room on the stack. */
static void push_record(lua_State *L, const struct list *l) {
    lua_getiuservalue(L, 1, LIST_BATCH);
    lua_rawgeti(L, -1, l->place + 1);
    lua_remove(L, -2);
}

/* The record on the top is taken. */
static void commit(lua_State *L, struct list *l) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LIST_LAST);
    l->place++;
    l->delivered++;
}

/* The record on the top goes to the caller. */
static void deliver(lua_State *L, struct list *l) {
    commit(L, l);
    l->settled = l->held == 0;
}

/* Moves the next record, which the batch holds, into the array in slot 2. */
static void gather_record(lua_State *L, struct list *l, struct gathered *g) {
    luaL_checkstack(L, 4, "calira");
    push_record(L, l);
    lua_pushvalue(L, -1);
    lua_getiuservalue(L, 1, LIST_NODE);
    gathered_add(L, g);
    if (l->settled)
        source_settle(L, l);
    commit(L, l);
    l->held++;
    lua_pop(L, 1);
}

/* A reached limit ends the list at once, so that nothing goes on in flight. */
static void settle_limit(lua_State *L, struct list *l) {
    if (limit_reached(l) && l->state == LIST_OPEN)
        source_leave(L, l, LIST_ENDED);
}

static bool has_given_up(const struct list *l) {
    return l->held > 0 && !l->queue->closed && (l->state == LIST_OPEN || l->state == LIST_ENDED);
}

/* Pushes a record that another reader gave up, and its node. False: there is none. */
static bool take_given_up(lua_State *L, struct list *l) {
    lua_settop(L, 1);
    struct gathered *g = has_given_up(l) ? gathered_next(L, l) : NULL;
    if (!g)
        return false;
    g->taken++;
    l->held--;
    source_settle(L, l);
    return true;
}

/* Pushes the next record and, if there is one, its node; nil at the end. Returns how many values. `last`: the list is closed
 * then. What is in flight is let go before a last record is taken: an interrupt leaves it to be read again. */
static int push_next(lua_State *L, struct list *l, bool last, lua_KFunction k) {
    while (take_given_up(L, l) || fill(L, l, 1, k) || take_given_up(L, l)) {
        luaL_checkstack(L, 4, "calira");
        if (lua_gettop(L) > 1)
            return lua_isnil(L, 3) ? (lua_settop(L, 2), 1) : 2;
        if (!l->source_closed && (last || (l->limit >= 0 && l->delivered + 1 >= l->limit))) {
            source_close(L, l);
            continue; /* whatever ran meanwhile may have read the list */
        }
        push_record(L, l);
        deliver(L, l);
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

/* Moves records that another reader gave up into the array in slot 2; `node`: only those of the first one's. */
static void gather_given_up(lua_State *L, struct list *l, struct gathered *g, bool node) {
    struct gathered *other;
    while (has_given_up(l) && (other = gathered_next(L, l))) {
        if (node && g->count > 0 && !lua_rawequal(L, -1, 3)) {
            lua_pop(L, 2);
            return;
        }
        if (node && g->count == 0) {
            lua_pushvalue(L, -1);
            lua_replace(L, 3);
        }
        gathered_add(L, g);
        other->taken++;
    }
}

/* Slots: the list, what it gathers. */
static int collect_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct list *l = lua_touserdata(L, 1);
    struct gathered *g = lua_touserdata(L, 2);
    bool more;
    do {
        lua_settop(L, 2);
        gather_given_up(L, l, g, false);
        more = fill(L, l, 2, collect_k);
        if (more)
            gather_record(L, l, g);
    } while (more);
    gather_given_up(L, l, g, false);
    luaL_checkstack(L, 4, "calira");
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    int results = lua_getfield(L, -1, "under") != LUA_TNIL ? 2 : 1;
    lua_settop(L, 2);
    gathered_release(L, l, g);
    lua_getiuservalue(L, 2, GATHERED_RECORDS);
    lua_getiuservalue(L, 2, GATHERED_NODES);
    lua_settop(L, 2 + results);
    return results;
}

/* list:collect(): an array of what was not delivered yet [, an array of the nodes]. May wait. */
static int list_collect(lua_State *L) {
    check(L);
    lua_settop(L, 1);
    gathered_open(L);
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

/* Returns the page's number, the array in slot 2 and the node on the top. */
static int push_page(lua_State *L, struct list *l, struct gathered *g) {
    gathered_release(L, l, g);
    lua_pushinteger(L, l->page);
    lua_getiuservalue(L, 2, GATHERED_RECORDS);
    lua_rotate(L, -3, 2);
    return 3;
}

/* The same for what another reader gave up, of one node; nil where there is nothing. */
static int push_given_up_page(lua_State *L, struct list *l, struct gathered *g) {
    lua_settop(L, 2);
    lua_pushnil(L);
    gather_given_up(L, l, g, true);
    return g->count > 0 ? push_page(L, l, g) : 1;
}

/* An empty page counts too, so this looks at batches, not at records: `before` is the number of batches taken before. Where
 * a part of a page fails, the parts before it are delivered first. */
static enum gathering gather(lua_State *L, struct list *l, struct gathered *g, lua_Integer before) {
    if (l->queue->closed)
        source_close_list(L, l);
    bool some = g->count > 0;
    bool got = some || l->batches > before || l->place < l->size;
    if (some ? l->state != LIST_OPEN : !readable(L, l))
        return some || l->batches > before ? READY : OVER;
    while (l->place < l->size && !limit_reached(l))
        gather_record(L, l, g);
    settle_limit(L, l);
    if (l->state != LIST_OPEN)
        return got ? READY : OVER;
    return got && !l->part ? READY : GATHERING;
}

/* Slots: the list, what it gathers, the node. */
static int pages_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct list *l = lua_touserdata(L, 1);
    struct gathered *g = lua_touserdata(L, 2);
    enum gathering state;
    lua_settop(L, 3);
    while ((state = gather(L, l, g, (lua_Integer)ctx)) == GATHERING) {
        source_advance(L, l, ctx, pages_k);
        lua_settop(L, 3);
    }
    if (state == OVER)
        return push_given_up_page(L, l, g);
    lua_getiuservalue(L, 1, LIST_NODE);
    return push_page(L, l, g);
}

static int pages_next(lua_State *L) {
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    struct list *l = check(L);
    struct gathered *g = gathered_open(L);
    int results = push_given_up_page(L, l, g);
    return results > 1 ? results : pages_k(L, LUA_OK, (lua_KContext)l->batches);
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
    lua_Integer page = l->settled ? l->page : l->place_page;
    if (page)
        lua_pushinteger(L, page);
    else
        lua_pushnil(L);
    if (lua_getiuservalue(L, 1, l->settled ? LIST_LAST : LIST_PLACE) == LUA_TTABLE)
        lua_getfield(L, -1, "id");
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    lua_getiuservalue(L, 1, l->settled ? LIST_NODE : LIST_PLACE_NODE);
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
    gathered_init(L);
    luaL_newmetatable(L, LIST);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, list_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
