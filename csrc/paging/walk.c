#include "paging/walk.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "http/response.h"
#include "paging/dedup.h"
#include "paging/pages.h"
#include "paging/pass.h"

#define WALK "calira.walk"

enum { MOST_WANTED = 1 << 30 }; /* as good as all, and safe to reckon with */

/* User values. QUERY holds the path and the scope too, so that their texts stay. */
enum { WALK_CLIENT = 1, WALK_QUERY, WALK_NAMES, WALK_ORDER, WALK_KEPT, WALK_AFTER, WALK_VALUES = 6 };

/* Slots of the stack while a batch is read. */
enum { SLOT_WALK = 1, SLOT_CLIENT, SLOT_QUERY, SLOT_NAMES, SLOT_ORDER, SLOT_TOP = 5 };

enum walk_state {
    WALK_READING,
    WALK_DELIVERING, /* an exact walk is proved: its kept pages are delivered */
    WALK_DONE,
    WALK_TORN, /* memory ran out in the middle of a page */
    WALK_CLOSED,
};

struct walk {
    struct pages pages;
    struct pass pass;
    struct dedup dedup;
    struct loop *loop;
    enum walk_state state;
    const char *scope; /* borrowed from the query table */
    int64_t first;     /* the page to start with */
    int64_t size;      /* of a page, where an earlier run found it to be another than the server says; else 0 */
    struct reading reading;
    bool resumed;   /* what comes before the first page was read by an earlier run */
    bool skipping;  /* resume: the record to go on after was not found yet */
    bool unsettled; /* an exact walk that was given up */
    int64_t want;   /* records that are still wanted; -1: all */
    int64_t received, duplicates, pages_read, total_first, total_last;
    int64_t kept, delivered;       /* pages of an exact walk */
    uint64_t page_digest;          /* of the body of the page before */
    uint64_t digest, digest_first; /* of all bodies of this pass; of the first one */
};

static struct walk *check(lua_State *L) {
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
    set_want(w, whole(L, "limit", -1));
}

/* core.walk(client, path, query, options): query is an array of names and values by turns, which the walk keeps; options:
 * per_page, page, lookahead, limit, exact, scope, and of a cursor's: resumed, after (id), size; checked by the Lua layer.
 * Sends nothing. */
static int f_walk(lua_State *L) {
    struct client *client = client_check(L, 1);
    const char *path = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_settop(L, 4);
    struct walk *w = lua_newuserdatauv(L, sizeof *w, WALK_VALUES);
    *w = (struct walk){.loop = client->queue.loop, .state = WALK_CLOSED, .total_first = -1, .total_last = -1};
    pages_init(&w->pages, client, path, (int)whole(L, "per_page", 100), (int)whole(L, "lookahead", 4));
    luaL_setmetatable(L, WALK);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 5, WALK_CLIENT);
    lua_pushvalue(L, 2);
    lua_setfield(L, 3, "path");
    lua_getfield(L, 4, "scope");
    w->scope = lua_tostring(L, -1);
    lua_setfield(L, 3, "scope");
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 5, WALK_QUERY);
    lua_newtable(L);
    lua_setiuservalue(L, 5, WALK_NAMES);
    read_options(L, w);
    w->reading.passes = 1;
    if (w->reading.exact) {
        lua_newtable(L);
        lua_setiuservalue(L, 5, WALK_ORDER);
        lua_newtable(L);
        lua_setiuservalue(L, 5, WALK_KEPT);
    }
    pages_restart(&w->pages, w->first);
    pass_start(&w->pass, w->first, w->size);
    w->state = WALK_READING;
    return 1;
}

/* Pushes what reading needs into SLOT_CLIENT and up. */
static void push_slots(lua_State *L) {
    lua_settop(L, SLOT_WALK);
    luaL_checkstack(L, 12, "calira");
    lua_getiuservalue(L, SLOT_WALK, WALK_CLIENT);
    lua_getiuservalue(L, SLOT_WALK, WALK_QUERY);
    lua_getiuservalue(L, SLOT_WALK, WALK_NAMES);
    lua_getiuservalue(L, SLOT_WALK, WALK_ORDER);
}

/* ---- asking ---- */

/* The last page to ask for ahead. `taken`: pages delivered whose records are not counted yet. */
static int64_t ahead(const struct walk *w, int taken) {
    int64_t last = pass_last(&w->pass);
    if (w->want < 0 || w->pass.size <= 0)
        return last;
    int64_t left = w->want - taken * w->pass.size;
    int64_t wanted = w->pages.next + taken - 1;
    if (left > 0)
        wanted += (left + w->pass.size - 1) / w->pass.size;
    return wanted < last ? wanted : last;
}

/* Asks for what is wanted, and puts it on the wire. Needs the slots. */
static void ask(lua_State *L, struct walk *w, int taken, bool need) {
    int64_t before = w->pages.asked;
    pages_ask(L, &w->pages, SLOT_QUERY, ahead(w, taken), taken, need);
    if (w->pages.asked > before)
        loop_turn(w->loop, 0);
}

/* ---- reporting ---- */

static const char *verdict(const struct walk *w) {
    if (w->state != WALK_DONE)
        return "partial";
    if (w->unsettled)
        return "drifted";
    const char *found = pass_verdict(&w->pass, &w->reading);
    bool left = w->first > 1 && !w->resumed;
    return left && strcmp(found, "complete") == 0 ? "partial" : found;
}

static void set_whole(lua_State *L, const char *name, int64_t n) {
    if (n < 0)
        return;
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

static void push_report(lua_State *L, const struct walk *w) {
    lua_createtable(L, 0, 12);
    lua_pushstring(L, verdict(w));
    lua_setfield(L, -2, "verdict");
    set_whole(L, "received", w->received);
    set_whole(L, "unseen", w->state == WALK_DONE ? pass_unseen(&w->pass) : 0); /* before the end, all may come yet */
    set_whole(L, "duplicates", w->duplicates + w->pass.duplicates);
    set_whole(L, "passes", w->reading.passes);
    set_whole(L, "pages", w->pages_read);
    set_whole(L, "requests", w->pages.requests);
    set_whole(L, "total_first", w->total_first);
    set_whole(L, "total_last", w->total_last);
}

/* ---- passes ---- */

static void next_pass(lua_State *L, struct walk *w) {
    w->reading.passes++;
    w->duplicates += w->pass.duplicates;
    if (!dedup_next_pass(&w->dedup))
        luaL_error(L, "not enough memory");
    w->dedup.later_pass = !w->reading.exact;
    pass_start(&w->pass, w->first, w->size);
    if (w->reading.exact) {
        lua_newtable(L);
        lua_setiuservalue(L, SLOT_WALK, WALK_KEPT);
        w->kept = 0;
    }
}

/* Gives an exact walk up: nothing of it is delivered. */
static int raise_unsettled(lua_State *L, struct walk *w) {
    const char *why = w->reading.unidentified ? "records without an id cannot be proved"
                      : w->reading.same ? "the list held still, but the server's total is not the number of its records"
                                        : "the list did not hold still";
    error_new(L, "drift", "%s in %d readings: nothing was delivered", why, w->reading.passes);
    lua_pushliteral(L, "GET");
    lua_setfield(L, -2, "method");
    lua_getfield(L, SLOT_QUERY, "path");
    lua_setfield(L, -2, "path");
    w->state = WALK_DONE;
    w->unsettled = true;
    push_report(L, w);
    static const char *const nothing[] = {"delivered", "filtered", "gone"};
    for (int i = 0; i < 3; i++)
        set_whole(L, nothing[i], 0);
    lua_setfield(L, -2, "report");
    return lua_error(L);
}

static void end_pass(lua_State *L, struct walk *w) {
    struct reading *r = &w->reading;
    r->same = r->passes > 1 && dedup_same(&w->dedup);
    r->in_order = w->dedup.in_order;
    r->ids = w->dedup.current.count;
    r->unidentified = w->dedup.unidentified > 0;
    /* where records without an id were delivered, only the very same pages show that there are no others */
    r->lost =
        w->dedup.later_pass && w->dedup.unidentified_first + w->dedup.unidentified > 0 && w->digest != w->digest_first;
    if (r->passes == 1)
        w->digest_first = w->digest;
    w->digest = 0;
    pages_restart(&w->pages, w->first);
    switch (pass_next(&w->pass, r)) {
    case PASS_AGAIN:
        next_pass(L, w);
        break;
    case PASS_PROVED:
        w->state = WALK_DELIVERING;
        w->delivered = 0;
        break;
    case PASS_UNSETTLED:
        raise_unsettled(L, w);
        break;
    default:
        w->state = WALK_DONE;
    }
}

/* ---- pages ---- */

/* Leaves in the page on the top only the records to deliver; returns how many were new to this pass. */
static int64_t take_records(lua_State *L, struct walk *w) {
    lua_Integer skip = 0;
    if (w->skipping) {
        lua_getiuservalue(L, SLOT_WALK, WALK_AFTER);
        skip = dedup_place(L);
    }
    w->skipping = false;
    w->state = WALK_TORN; /* should memory run out here, some of the ids are taken and the records not delivered */
    struct dedup_page page = dedup_page(L, &w->dedup, SLOT_NAMES, w->reading.exact ? SLOT_ORDER : 0, skip);
    w->state = WALK_READING;
    w->received += w->reading.exact ? 0 : page.kept;
    if (w->want >= 0)
        w->want = w->want > page.kept ? w->want - page.kept : 0;
    return page.fresh;
}

/* Whether the body is, byte for byte, that of the page before: then it brings nothing new, whether or not its records have
 * ids. Takes it into the pass's digest. */
static bool take_digest(struct walk *w, const struct buffer *body) {
    uint64_t before = w->page_digest;
    w->page_digest = buffer_digest(0, body->data, body->size);
    w->digest = buffer_digest(w->digest, &w->page_digest, sizeof w->page_digest);
    return w->pass.pages > 0 && w->page_digest == before;
}

/* Whether the page was not found, and none like it was promised: an empty page in other words. */
static bool beyond(const struct walk *w, const struct call *head) {
    bool missing = head->outcome == OUTCOME_ANSWER && head->transfer.status == 404;
    return missing && pass_beyond(&w->pass, w->pages.next);
}

/* Reads the page whose call is over: pushes the array of its records to deliver. Raises what went wrong with it. */
static void read_page(lua_State *L, struct walk *w, struct call *head) {
    const struct headers *h = &head->transfer.headers;
    struct page_seen seen = {
        .page = w->pages.next,
        .total = headers_number(h, "x-total-records"),
        .current = headers_number(h, "x-current-page"),
        .size = headers_number(h, "x-per-page"),
    };
    struct asked asked = {w->scope, seen.page, WANT_ARRAY};
    bool again = take_digest(w, &head->transfer.body);
    if (beyond(w, head)) {
        seen.total = seen.current = seen.size = -1;
        lua_newtable(L);
    } else {
        if (call_good(head))
            ask(L, w, 1, false); /* the wire is kept busy while this page is decoded */
        response_read(L, SLOT_CLIENT, head, &asked, false);
    }
    pages_advance(&w->pages);
    seen.records = (int64_t)lua_rawlen(L, -1);
    if (again && seen.records) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    seen.fresh = take_records(L, w);
    pass_page(&w->pass, &seen);
    w->pages_read++;
    if (w->total_first < 0)
        w->total_first = w->pass.total_first;
    if (w->pass.total_last >= 0)
        w->total_last = w->pass.total_last;
}

/* Pushes what batch() returns about the page on the top: its number, no node, not in parts, pass, pages. */
static int push_batch(lua_State *L, int64_t page, int pass, int64_t pages) {
    lua_pushinteger(L, page);
    lua_pushnil(L);
    lua_pushboolean(L, 0);
    lua_pushinteger(L, pass);
    if (pages > 0)
        lua_pushinteger(L, pages);
    else
        lua_pushnil(L);
    return 6;
}

/* Hands out the next kept page of an exact walk. */
static int deliver_kept(lua_State *L, struct walk *w) {
    lua_getiuservalue(L, SLOT_WALK, WALK_KEPT);
    lua_rawgeti(L, -1, ++w->delivered);
    lua_pushnil(L);
    lua_rawseti(L, -3, w->delivered);
    w->received += (int64_t)lua_rawlen(L, -1);
    if (w->delivered == w->kept)
        w->state = WALK_DONE;
    return push_batch(L, w->first + w->delivered - 1, w->reading.passes, w->kept);
}

static int batch_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct walk *w = lua_touserdata(L, SLOT_WALK);
    push_slots(L);
    for (;;) {
        lua_settop(L, SLOT_TOP);
        if (w->state == WALK_DELIVERING)
            return deliver_kept(L, w);
        if (w->state == WALK_TORN)
            error_throw(L, "closed", "memory ran out in the middle of a page: start the list anew");
        if (w->state != WALK_READING)
            return 0;
        struct call *head = pages_head(&w->pages);
        if (!head) {
            ask(L, w, 0, true);
            continue;
        }
        if (!call_over(head)) {
            wait_on(L, w->loop, &w->pages.changed, ctx, batch_k);
            continue;
        }
        int64_t page = w->pages.next;
        int pass = w->reading.passes;
        read_page(L, w, head);
        int64_t pages = pass_last(&w->pass);
        if (w->reading.exact) {
            lua_getiuservalue(L, SLOT_WALK, WALK_KEPT);
            lua_insert(L, -2);
            lua_rawseti(L, -2, ++w->kept);
        }
        if (w->pass.over)
            end_pass(L, w);
        else
            ask(L, w, 0, false);
        if (!w->reading.exact)
            return push_batch(L, page, pass, pages);
    }
}

/* walk:batch(): records, page, nil, false, pass, pages; nothing at the end. May wait; raises what went wrong. */
static int walk_batch(lua_State *L) {
    check(L);
    return batch_k(L, LUA_OK, 0);
}

/* walk:start(): asks for the first page without waiting for it. */
static int walk_start(lua_State *L) {
    struct walk *w = check(L);
    push_slots(L);
    if (w->state == WALK_READING && w->pages_read == 0 && !pages_head(&w->pages))
        ask(L, w, 0, true);
    return 0;
}

/* walk:ready(): whether batch() would not wait. */
static int walk_ready(lua_State *L) {
    struct walk *w = check(L);
    struct call *head = pages_head(&w->pages);
    lua_pushboolean(L, w->state != WALK_READING || (!w->reading.exact && head && call_over(head)));
    return 1;
}

/* walk:ahead(): pages asked for and not delivered. */
static int walk_ahead(lua_State *L) {
    struct walk *w = check(L);
    lua_pushinteger(L, w->state == WALK_READING ? w->pages.asked - w->pages.next : 0);
    return 1;
}

/* walk:want(n [, lookahead]): bounds what is asked for ahead: by n further records (-1: all), and so many pages. */
static int walk_want(lua_State *L) {
    struct walk *w = check(L);
    set_want(w, luaL_checkinteger(L, 2));
    pages_lookahead(&w->pages, luaL_optinteger(L, 3, INT_MAX));
    return 0;
}

/* walk:size(): records of a page, where they turned out to be others than the server says; else nothing. */
static int walk_size(lua_State *L) {
    struct walk *w = check(L);
    if (!w->pass.corrected)
        return 0;
    lua_pushinteger(L, w->pass.size);
    return 1;
}

static int total_k(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct walk *w = lua_touserdata(L, SLOT_WALK);
    push_slots(L);
    while (w->state == WALK_READING && w->pages_read == 0) {
        struct call *head = pages_head(&w->pages);
        if (!head) {
            ask(L, w, 0, true);
        } else if (!call_over(head)) {
            wait_on(L, w->loop, &w->pages.changed, ctx, total_k);
        } else {
            struct asked asked = {w->scope, w->pages.next, WANT_ARRAY};
            if (!call_good(head))
                response_read(L, SLOT_CLIENT, head, &asked, false); /* raises */
            int64_t total = headers_number(&head->transfer.headers, "x-total-records");
            if (total < 0)
                return 0;
            lua_pushinteger(L, total);
            return 1;
        }
    }
    if (w->total_last < 0)
        return 0;
    lua_pushinteger(L, w->total_last);
    return 1;
}

/* walk:total(): the server's count, or nothing. Asks for the first page where it was not read yet. May wait. */
static int walk_total(lua_State *L) {
    check(L);
    return total_k(L, LUA_OK, 0);
}

/* walk:progress(): received, total or nil, lists finished, lists in all. */
static int walk_progress(lua_State *L) {
    struct walk *w = check(L);
    lua_pushinteger(L, w->received);
    if (w->total_last >= 0)
        lua_pushinteger(L, w->total_last);
    else
        lua_pushnil(L);
    lua_pushinteger(L, w->state == WALK_DONE);
    lua_pushinteger(L, 1);
    return 4;
}

static int walk_report(lua_State *L) {
    push_report(L, check(L));
    return 1;
}

/* walk:close(): cancels what is in handle. The body of __gc too. */
static int walk_close(lua_State *L) {
    struct walk *w = check(L);
    if (w->state != WALK_DONE)
        w->state = WALK_CLOSED;
    pages_close(&w->pages);
    dedup_free(&w->dedup);
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
    lua_pushcfunction(L, walk_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
