/* How the pages of a walk become batches of records. A page is taken in three steps: its response is taken out of the call,
 * its records are decoded and numbered, and then all that counts changes at once, in take_page, which cannot raise. Whatever
 * fails or interrupts before that leaves the page to be read again. */
#include <lauxlib.h>

#include "base/error.h"
#include "http/response.h"
#include "paging/walk.h"

/* Slots of the stack while a batch is read. RESPONSE: of the page in hand; RECORDS: its array; NUMBERS: of their ids. */
enum {
    SLOT_WALK = 1,
    SLOT_NUMBER,
    SLOT_CLIENT,
    SLOT_PATH,
    SLOT_QUERY,
    SLOT_SCOPE,
    SLOT_OTHER_IDS,
    SLOT_TOP = 7,
    SLOT_RESPONSE = 8,
    SLOT_RECORDS,
    SLOT_NUMBERS
};

static void push_slots(lua_State *L) {
    lua_settop(L, SLOT_NUMBER);
    luaL_checkstack(L, 24, "calira");
    static const int values[] = {WALK_CLIENT, WALK_PATH, WALK_QUERY, WALK_SCOPE, WALK_OTHER_IDS};
    for (int i = 0; i < SLOT_TOP - SLOT_NUMBER; i++)
        lua_getiuservalue(L, SLOT_WALK, values[i]);
}

static void clear(lua_State *L, int value) {
    lua_pushnil(L);
    lua_setiuservalue(L, SLOT_WALK, value);
}

/* ---- asking ---- */

/* What is known of this pass once its first page has come, though its records were not read: its headers tell the total. */
static struct pass known_pass(lua_State *L, const struct walk *w) {
    struct pass pass = w->pass;
    const struct call *head = pages_head(&w->pages);
    const struct reply *reply = head && call_good(head) ? &head->transfer.reply : NULL;
    if (pass.pages > 0)
        return pass;
    if (w->in_hand) {
        lua_getiuservalue(L, SLOT_WALK, WALK_RESPONSE);
        const struct response *r = lua_touserdata(L, -1);
        reply = r && response_good(r) ? &r->reply : NULL;
        lua_pop(L, 1);
    }
    if (reply) {
        pass.total_last = headers_number(&reply->headers, "x-total-records");
        if (pass.size <= 0)
            pass.size = headers_number(&reply->headers, "x-per-page");
    }
    return pass;
}

/* The last page to ask for ahead, as far as `pass` knows. `taken`: pages taken whose records are not counted yet. */
static int64_t last_wanted(const struct walk *w, const struct pass *pass, int taken) {
    int64_t last = pass_last(pass);
    if (w->want < 0 || pass->size <= 0)
        return last;
    int64_t left = w->want - taken * pass->size;
    int64_t wanted = w->pages.next + taken - 1;
    if (left > 0)
        wanted += (left + pass->size - 1) / pass->size;
    return wanted < last ? wanted : last;
}

static void ask_up_to(lua_State *L, struct walk *w, int64_t last, int taken, bool need) {
    int64_t before = w->pages.asked;
    pages_ask(L, &w->pages, SLOT_PATH, SLOT_QUERY, last, taken, need);
    if (w->pages.asked > before)
        loop_turn(w->loop, 0);
}

/* Asks for what is wanted, and puts it on the wire. */
static void ask(lua_State *L, struct walk *w, int taken, bool need) {
    if (w->state == WALK_READING)
        ask_up_to(L, w, last_wanted(w, &w->pass, taken), taken, need);
}

/* Whether there is no page to wait for: it is in hand, its call is over, or the walk was closed. */
static bool page_is_there(const void *what) {
    const struct walk *w = what;
    const struct call *head = pages_head(&w->pages);
    return w->state != WALK_READING || w->in_hand || (head && call_over(head));
}

/* Takes the response of the next page out of its call. Asks and waits for it where it is not in hand. */
static void take_response(lua_State *L, struct walk *w, lua_KContext ctx, lua_KFunction k) {
    while (w->state == WALK_READING && !w->in_hand) {
        if (!pages_head(&w->pages))
            ask(L, w, 0, true);
        if (!page_is_there(w)) {
            pages_waited(&w->pages);
            ask(L, w, 0, false);
            wait_until(L, w->loop, &w->pages.changed, page_is_there, w, ctx, k);
        } else {
            pages_did_not_wait(&w->pages);
        }
        struct response *r = response_new(L, w->loop, SLOT_PATH);
        struct call *head = pages_head(&w->pages);
        if (w->state == WALK_READING && !w->in_hand && head && call_over(head)) {
            response_take(r, head);
            lua_setiuservalue(L, SLOT_WALK, WALK_RESPONSE);
            w->in_hand = true;
        }
        lua_settop(L, SLOT_TOP);
    }
    if (w->state == WALK_CLOSED)
        error_throw(L, "closed", "the list is closed");
}

/* ---- passes ---- */

static void next_pass(lua_State *L, struct walk *w) {
    if (!dedup_next_pass(&w->dedup))
        luaL_error(L, "not enough memory");
    w->reading.passes++;
    w->duplicates += w->pass.duplicates;
    w->dedup.later_pass = !w->reading.exact;
    pass_start(&w->pass, w->first, w->size);
    w->kept = 0;
}

/* Gives an exact walk up: nothing of it is delivered. */
static int raise_unsettled(lua_State *L, struct walk *w) {
    const char *why = w->reading.unidentified ? "records without an id cannot be proved"
                      : w->reading.same ? "the list held still, but the server's total is not the number of its records"
                                        : "the list did not hold still";
    w->state = WALK_DONE;
    w->unsettled = true;
    error_new(L, "drift", "%s in %d readings: nothing was delivered", why, w->reading.passes);
    lua_pushliteral(L, "GET");
    lua_setfield(L, -2, "method");
    lua_pushvalue(L, SLOT_PATH);
    lua_setfield(L, -2, "path");
    walk_push_report(L, w);
    static const char *const nothing[] = {"delivered", "filtered", "gone", "undetailed", "unreadable", "accounts"};
    for (int i = 0; i < 6; i++) {
        lua_pushinteger(L, 0);
        lua_setfield(L, -2, nothing[i]);
    }
    lua_setfield(L, -2, "report");
    return lua_error(L);
}

struct reading reading_now(const struct walk *w) {
    struct reading r = w->reading;
    const struct dedup *d = &w->dedup;
    if (w->state != WALK_READING)
        return r;
    r.same = r.passes > 1 && dedup_same(d);
    r.in_order = d->in_order;
    r.ids = d->current.count;
    r.unidentified = d->unidentified > 0;
    /* where records without an id were delivered, only the very same pages show that there are no others */
    r.lost = d->later_pass && d->unidentified_first + d->unidentified > 0 && w->digest != w->digest_first;
    return r;
}

bool reading_over(const struct walk *w) {
    if (w->state != WALK_READING || !w->pass.over || w->reading.exact)
        return w->state == WALK_DONE;
    const struct reading r = reading_now(w);
    return pass_next(&w->pass, &r) == PASS_DONE;
}

/* Decides what follows a pass that is over. */
static void end_pass(lua_State *L, struct walk *w) {
    struct reading *r = &w->reading;
    *r = reading_now(w);
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
    if (r->passes == 2)
        w->digest_first = w->digest;
    w->digest = w->page_digest = 0;
    pages_restart(&w->pages, w->first);
}

/* ---- pages ---- */

static bool missing(const struct response *r) {
    return r->reply.outcome == OUTCOME_ANSWER && r->reply.status == 404;
}

/* Whether the page was not found, and none like it was promised: an empty page in other words. */
static bool beyond(const struct walk *w, const struct response *r) {
    return missing(r) && pass_beyond(&w->pass, w->pages.next);
}

static void read_headers(const struct walk *w, const struct response *r, struct page_seen *seen) {
    const struct headers *h = &r->reply.headers;
    *seen = (struct page_seen){.page = w->pages.next, .total = -1, .current = -1, .size = -1};
    if (beyond(w, r))
        return;
    seen->total = headers_number(h, "x-total-records");
    seen->current = headers_number(h, "x-current-page");
    seen->size = headers_number(h, "x-per-page");
}

/* Asks for the page in hand again, whose JSON was cut short. False: not any more. */
static bool ask_again(lua_State *L, struct walk *w) {
    struct call *head = pages_head(&w->pages);
    if (!w->in_hand || !head || !call_ask_again(head, &w->pages.client->queue))
        return false;
    w->in_hand = false;
    clear(L, WALK_RESPONSE);
    loop_turn(w->loop, 0);
    return true;
}

/* Decodes the page in hand into SLOT_RECORDS; false: it is asked for again. Raises what is wrong with it. */
static bool decode(lua_State *L, struct walk *w, const struct page_seen *seen) {
    const struct response *r = lua_touserdata(L, SLOT_RESPONSE);
    if (beyond(w, r) || (response_good(r) && pass_misplaced(&w->pass, seen))) {
        lua_newtable(L);
        return true;
    }
    const struct asked asked = {lua_tostring(L, SLOT_SCOPE), seen->page, WANT_ARRAY};
    if (response_good(r))
        ask(L, w, 1, false); /* the wire is kept busy while this page is decoded */
    enum reading_result result = response_read(L, SLOT_RESPONSE, SLOT_CLIENT, &asked);
    if (result == READING_CUT && ask_again(L, w))
        return false;
    if (result != READING_VALUE)
        lua_error(L);
    return true;
}

/* The digest of the body in hand where a record of it has no id; else 0. Records that cannot be told apart are new unless
 * the page is, byte for byte, the one before. */
static uint64_t digest(lua_State *L, const uint64_t *numbers, int64_t count) {
    const struct response *r = lua_touserdata(L, SLOT_RESPONSE);
    for (int64_t i = 0; i < count; i++)
        if (numbers[i] == DEDUP_NO_ID)
            return buffer_digest(0, r->reply.body.data, r->reply.body.size);
    return 0;
}

/* What take_page needs to know, all of it found out before. */
struct found {
    struct page_seen seen;
    lua_Integer skip; /* records to leave out at the start: an earlier run delivered them */
    uint64_t digest;
};

/* Resume: goes on from another page instead. */
static void restart_at(lua_State *L, struct walk *w, int64_t first) {
    w->first = first;
    w->in_hand = false;
    clear(L, WALK_RESPONSE);
    pages_restart(&w->pages, first);
    pass_start(&w->pass, first, w->size);
}

/* Resume: the record to go on after is not on its page. Where pages have another size now, it is on another one. Else, where others
 * before it have gone, it is on the page before now, and so are some that were not delivered: that page is read first. False:
 * there is no other page to look at. */
static bool look_elsewhere(lua_State *L, struct walk *w, int64_t size) {
    int64_t first = w->first - 1;
    if (w->size_before > 0 && size > 0 && size != w->size_before)
        first = first * w->size_before / size + 1;
    else if (w->back || first < 1)
        return false;
    else
        w->back = true;
    w->size_before = 0;
    restart_at(L, w, first);
    return true;
}

/* Decodes and numbers the page in hand, and keeps its records: as the batch, or among the pages of an exact walk. */
static bool find_out(lua_State *L, struct walk *w, struct found *found) {
    struct response *r = lua_touserdata(L, SLOT_RESPONSE);
    *found = (struct found){.skip = 0};
    read_headers(w, r, &found->seen);
    if (w->resumed && w->pages_read == 0 && w->first > 1 &&
        missing(r)) { /* the list became shorter, or is gone: page 1 tells */
        w->skipping = false;
        restart_at(L, w, 1);
        return false;
    }
    if (!decode(L, w, &found->seen))
        return false;
    const uint64_t *numbers = dedup_number(L, &w->dedup, SLOT_OTHER_IDS);
    found->seen.records = (int64_t)lua_rawlen(L, SLOT_RECORDS);
    found->digest = digest(L, numbers, found->seen.records);
    if (found->digest && found->digest == w->page_digest) {
        lua_newtable(L);
        lua_replace(L, SLOT_RECORDS);
    }
    if (w->skipping) {
        lua_pushvalue(L, SLOT_RECORDS);
        lua_getiuservalue(L, SLOT_WALK, WALK_AFTER);
        found->skip = dedup_place(L);
        lua_settop(L, SLOT_NUMBERS);
        if (found->skip == 0 && look_elsewhere(L, w, found->seen.size))
            return false;
        if (found->skip == 0 && w->back) /* gone itself: from the start of its page */
            found->skip = found->seen.records;
    }
    if (w->reading.exact) {
        lua_getiuservalue(L, SLOT_WALK, WALK_KEPT);
        lua_pushvalue(L, SLOT_RECORDS);
        lua_rawseti(L, -2, w->kept + 1);
        lua_pop(L, 1);
    }
    return true;
}

/* Takes the page: from here to the end nothing allocates, calls or raises, so that all of it happens or nothing. */
static void take_page(lua_State *L, struct walk *w, struct found *found) {
    struct response *r = lua_touserdata(L, SLOT_RESPONSE);
    struct page_seen *seen = &found->seen;
    struct dedup_page page = dedup_take(L, &w->dedup, SLOT_RECORDS, lua_touserdata(L, SLOT_NUMBERS), found->skip);
    seen->fresh = page.fresh;
    w->skipping = false;
    w->page_digest = found->digest;
    if (found->digest)
        w->digest = buffer_digest(w->digest, &found->digest, sizeof found->digest);
    w->batch.page = w->pages.next;
    w->batch.pass = w->reading.passes;
    pages_advance(&w->pages);
    pass_page(&w->pass, seen);
    w->pages_read++;
    if (w->total_first < 0)
        w->total_first = w->pass.total_first;
    if (w->pass.total_last >= 0)
        w->total_last = w->pass.total_last;
    w->batch.pages = pass_last(&w->pass);
    w->in_hand = false;
    response_drop_body(r);
    clear(L, WALK_RESPONSE);
    if (w->reading.exact) {
        w->kept++;
        return;
    }
    w->received += page.kept;
    if (w->want >= 0)
        w->want = w->want > page.kept ? w->want - page.kept : 0;
    w->batch.number++;
    lua_pushvalue(L, SLOT_RECORDS);
    lua_setiuservalue(L, SLOT_WALK, WALK_BATCH);
}

/* Reads the page in hand, if it still is there. */
static void read_page(lua_State *L, struct walk *w) {
    struct found found;
    lua_settop(L, SLOT_TOP);
    lua_getiuservalue(L, SLOT_WALK, WALK_RESPONSE);
    if (!w->in_hand || !find_out(L, w, &found))
        return;
    if (w->state == WALK_CLOSED)
        error_throw(L, "closed", "the list is closed");
    if (w->in_hand)
        take_page(L, w, &found);
}

/* ---- batches ---- */

/* Pushes what batch() returns: records, page, no node, not in parts, pass, pages. */
static int push_batch(lua_State *L, const struct walk *w) {
    lua_getiuservalue(L, SLOT_WALK, WALK_BATCH);
    lua_pushinteger(L, w->batch.page);
    lua_pushnil(L);
    lua_pushboolean(L, 0);
    lua_pushinteger(L, w->batch.pass);
    if (w->batch.pages > 0)
        lua_pushinteger(L, w->batch.pages);
    else
        lua_pushnil(L);
    return 6;
}

/* Makes the next kept page of an exact walk the batch. */
static void deliver_kept(lua_State *L, struct walk *w) {
    lua_getiuservalue(L, SLOT_WALK, WALK_KEPT);
    lua_rawgeti(L, -1, ++w->delivered);
    w->received += (int64_t)lua_rawlen(L, -1);
    lua_setiuservalue(L, SLOT_WALK, WALK_BATCH);
    lua_pushnil(L);
    lua_rawseti(L, -2, w->delivered);
    lua_pop(L, 1);
    w->batch = (struct batch){w->batch.number + 1, w->first + w->delivered - 1, w->kept, w->reading.passes};
    if (w->delivered == w->kept)
        w->state = WALK_DONE;
}

int reading_batch(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct walk *w = lua_touserdata(L, SLOT_WALK);
    lua_Integer number = lua_tointeger(L, SLOT_NUMBER);
    push_slots(L);
    while (number > w->batch.number) {
        lua_settop(L, SLOT_TOP);
        if (w->state == WALK_DELIVERING) {
            deliver_kept(L, w);
        } else if (w->state == WALK_DONE) {
            return w->unsettled ? raise_unsettled(L, w) : 0; /* again: there may have been no memory to say so */
        } else if (w->state == WALK_READING && w->pass.over) {
            end_pass(L, w);
        } else {
            take_response(L, w, ctx, reading_batch);
            read_page(L, w);
        }
    }
    lua_settop(L, SLOT_TOP);
    if (w->state == WALK_READING && !w->pass.over)
        ask(L, w, 0, false);
    return push_batch(L, w);
}

void reading_start(lua_State *L, struct walk *w) {
    push_slots(L);
    if (w->state == WALK_READING && w->pass.over && !w->reading.exact)
        end_pass(L, w);
    if (w->state != WALK_READING || w->pass.over)
        return;
    const struct pass pass = known_pass(L, w);
    ask_up_to(L, w, last_wanted(w, &pass, w->in_hand), w->in_hand, !w->in_hand);
}

bool reading_ready(const struct walk *w) {
    return w->state != WALK_READING || (!w->reading.exact && !w->pass.over && page_is_there(w));
}

int reading_total(lua_State *L, int status, lua_KContext ctx) {
    (void)status;
    struct walk *w = lua_touserdata(L, SLOT_WALK);
    push_slots(L);
    if (w->state == WALK_READING && w->pages_read == 0) {
        take_response(L, w, ctx, reading_total);
        lua_getiuservalue(L, SLOT_WALK, WALK_RESPONSE);
        const struct response *r = lua_touserdata(L, SLOT_RESPONSE);
        const struct asked asked = {lua_tostring(L, SLOT_SCOPE), w->pages.next, WANT_ARRAY};
        if (w->in_hand && r && !response_good(r)) {
            response_read(L, SLOT_RESPONSE, SLOT_CLIENT, &asked);
            lua_error(L);
        }
        int64_t total = w->in_hand && r ? headers_number(&r->reply.headers, "x-total-records") : -1;
        if (total >= 0) {
            lua_pushinteger(L, total);
            return 1;
        }
    }
    if (w->total_last >= 0)
        lua_pushinteger(L, w->total_last);
    else
        lua_pushnil(L);
    return 1;
}
