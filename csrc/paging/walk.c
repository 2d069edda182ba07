#include "paging/walk.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"

enum { MOST_WANTED = 1 << 30 }; /* as good as all, and safe to reckon with */

struct walk *walk_check(lua_State *L) {
    struct walk *w = luaL_checkudata(L, 1, WALK);
    loop_check_fork(w->loop);
    return w;
}

/* ---- making one ---- */

static lua_Integer whole(lua_State *L, const char *name, lua_Integer otherwise) {
    lua_getfield(L, 4, name);
    lua_Integer n = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return n;
}

static bool flag(lua_State *L, const char *name) {
    lua_getfield(L, 4, name);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

/* No more than n further records are wanted; negative: all are. An exact walk reads all there is, whatever is wanted. */
static void set_want(struct walk *w, lua_Integer n) {
    w->want = w->reading.exact || n < 0 || n > MOST_WANTED ? -1 : n;
}

/* Reads the options of core.walk, in slot 4, into the walk in slot 5. */
static void read_options(lua_State *L, struct walk *w) {
    w->skipping = lua_getfield(L, 4, "after") != LUA_TNIL;
    lua_setiuservalue(L, 5, WALK_AFTER);
    w->reading.exact = flag(L, "exact");
    w->resumed = flag(L, "resumed");
    w->first = whole(L, "page", 0);
    w->reading.once = w->first > 0;
    if (!w->reading.once)
        w->first = 1;
    w->size = whole(L, "size", 0);
    w->size_before = whole(L, "size_before", 0);
    set_want(w, whole(L, "limit", -1));
}

static void release(struct resource *resource) {
    struct walk *w = link_owner(resource, struct walk, resource);
    bool over = reading_over(w);
    w->reading = reading_now(w);
    w->state = over ? WALK_DONE : WALK_CLOSED;
    pages_close(&w->pages);
    dedup_free(&w->dedup);
}

/* core.walk(client, path, query, options): query is an array of names and values by turns, which the walk keeps; options:
 * per_page, page, lookahead, limit, exact, scope, and of a cursor's: resumed, after (id), size or size_before; checked by the Lua layer.
 * Sends nothing. */
static int f_walk(lua_State *L) {
    struct client *client = client_check(L, 1);
    luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_settop(L, 4);
    struct walk *w = lua_newuserdatauv(L, sizeof *w, WALK_VALUES);
    *w = (struct walk){.resource = {.release = release}, .state = WALK_CLOSED, .total_first = -1, .total_last = -1};
    link_init(&w->resource.link);
    w->loop = client->queue.loop;
    pages_init(&w->pages, client, 100, 0);
    luaL_setmetatable(L, WALK);
    loop_own(w->loop, &w->resource);
    static const int values[][2] = {{WALK_CLIENT, 1}, {WALK_PATH, 2}, {WALK_QUERY, 3}};
    for (int i = 0; i < 3; i++) {
        lua_pushvalue(L, values[i][1]);
        lua_setiuservalue(L, 5, values[i][0]);
    }
    lua_getfield(L, 4, "scope");
    lua_setiuservalue(L, 5, WALK_SCOPE);
    lua_newtable(L);
    lua_setiuservalue(L, 5, WALK_OTHER_IDS);
    lua_newtable(L);
    lua_setiuservalue(L, 5, WALK_KEPT);
    read_options(L, w);
    pages_init(&w->pages, client, (int)whole(L, "per_page", 100), (int)whole(L, "lookahead", PAGES_FIND_LOOKAHEAD));
    w->reading.passes = 1;
    w->dedup.keep_order = w->reading.exact;
    pages_restart(&w->pages, w->first);
    pass_start(&w->pass, w->first, w->size);
    w->state = WALK_READING;
    return 1;
}

/* ---- reporting ---- */

static const char *verdict(const struct walk *w) {
    if (!reading_over(w))
        return "partial";
    if (w->unsettled)
        return "drifted";
    const struct reading now = reading_now(w);
    const char *found = pass_verdict(&w->pass, &now);
    bool left = w->first > 1 && !w->resumed;
    return left && strcmp(found, "complete") == 0 ? "partial" : found;
}

static void set_whole(lua_State *L, const char *name, int64_t n) {
    if (n < 0)
        return;
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

/* Records that the total promises and the last pass did not bring; where the list would not settle, and no pass brought. Before
 * the end, all may come yet. */
static int64_t unseen(const struct walk *w) {
    int64_t last = reading_over(w) ? pass_unseen(&w->pass) : 0, left = w->total_last - w->received;
    if (w->reading.exact || w->reading.passes == 1 || strcmp(verdict(w), "complete") == 0)
        return last;
    return left < 0 ? 0 : left < last ? left : last;
}

void walk_push_report(lua_State *L, const struct walk *w) {
    lua_createtable(L, 0, 12);
    lua_pushstring(L, verdict(w));
    lua_setfield(L, -2, "verdict");
    set_whole(L, "received", w->received);
    set_whole(L, "unseen", unseen(w));
    set_whole(L, "duplicates", w->duplicates + w->pass.duplicates);
    set_whole(L, "passes", w->reading.passes);
    set_whole(L, "pages", w->pages_read);
    set_whole(L, "requests", w->pages.requests);
    set_whole(L, "total_first", w->total_first);
    set_whole(L, "total_last", w->total_last);
}

/* ---- methods ---- */

/* walk:batch([taken]): records, page, nil, false, pass, pages; nothing at the end. May wait; raises what went wrong. `taken`:
 * see list.h. */
static int walk_batch(lua_State *L) {
    struct walk *w = walk_check(L);
    int64_t number = w->batch.number + 1;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2) && w->batch.number > 0) {
        lua_getiuservalue(L, 1, WALK_BATCH);
        number -= !lua_rawequal(L, 2, 3);
    }
    lua_settop(L, 1);
    lua_pushinteger(L, number);
    return reading_batch(L, LUA_OK, 0);
}

/* walk:start(): asks for the page to read next, and for those that are known to follow it as far as walk:want allows,
 * without waiting for any. */
static int walk_start(lua_State *L) {
    struct walk *w = walk_check(L);
    reading_start(L, w);
    return 0;
}

/* walk:ready(): whether batch() would not wait. */
static int walk_ready(lua_State *L) {
    lua_pushboolean(L, reading_ready(walk_check(L)));
    return 1;
}

/* walk:ahead(): pages asked for and not delivered; how many of these have come. */
static int walk_ahead(lua_State *L) {
    struct walk *w = walk_check(L);
    bool reading = w->state == WALK_READING;
    lua_pushinteger(L, reading ? w->pages.asked - w->pages.next : 0);
    lua_pushinteger(L, reading ? pages_over(&w->pages) : 0);
    return 2;
}

/* walk:want(n [, lookahead]): bounds what is asked for ahead: by n further records (-1: all), and so many pages. */
static int walk_want(lua_State *L) {
    struct walk *w = walk_check(L);
    set_want(w, luaL_checkinteger(L, 2));
    pages_limit_lookahead(&w->pages, luaL_optinteger(L, 3, INT_MAX));
    return 0;
}

/* walk:size(): for a cursor, how many records a page has: `x50` where they turned out to be others than the server says, `p100` where
 * it says so; nothing where that is not known. */
static int walk_size(lua_State *L) {
    struct walk *w = walk_check(L);
    if (w->pass.size <= 0)
        return 0;
    lua_pushfstring(L, w->pass.corrected ? "x%I" : "p%I", (LUAI_UACINT)w->pass.size);
    return 1;
}

/* walk:total(): the server's count, or nothing. Asks for the first page where it was not read yet. May wait. */
static int walk_total(lua_State *L) {
    walk_check(L);
    return reading_total(L, LUA_OK, 0);
}

/* walk:progress(): received, total or nil, lists finished, lists in all. */
static int walk_progress(lua_State *L) {
    struct walk *w = walk_check(L);
    lua_pushinteger(L, w->received);
    if (w->total_last >= 0)
        lua_pushinteger(L, w->total_last);
    else
        lua_pushnil(L);
    lua_pushinteger(L, reading_over(w));
    lua_pushinteger(L, 1);
    return 4;
}

static int walk_report(lua_State *L) {
    walk_push_report(L, walk_check(L));
    return 1;
}

/* walk:close(): cancels what is in flight. */
static int walk_close(lua_State *L) {
    struct walk *w = walk_check(L);
    release(&w->resource);
    return 0;
}

static int walk_gc(lua_State *L) {
    struct walk *w = walk_check(L);
    link_drop(&w->resource.link);
    release(&w->resource);
    return 0;
}

void walk_open(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"batch", walk_batch},   {"start", walk_start}, {"ready", walk_ready}, {"ahead", walk_ahead},
        {"want", walk_want},     {"total", walk_total}, {"close", walk_close}, {"progress", walk_progress},
        {"report", walk_report}, {"size", walk_size},   {NULL, NULL},
    };
    lua_pushcfunction(L, f_walk);
    lua_setfield(L, -2, "walk");
    luaL_newmetatable(L, WALK);
    lua_pushcfunction(L, walk_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
