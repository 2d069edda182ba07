/* Lists that are made up here, and a reader that drives pass and dedup as walk.c does. For pass.c and drift.c. */
#ifndef CALIRA_SPEC_READER_H
#define CALIRA_SPEC_READER_H

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "paging/dedup.h"
#include "paging/pass.h"
#include "spec/support/check.h"

enum { ROOM = 4096, MOST_CALLS = 20000 };

enum past { PAST_EMPTY, PAST_LAST, PAST_LAST_SILENT, PAST_MISSING };

/* A server with one list, and how it behaves. */
struct server {
    int64_t count;                  /* records at the start; their ids are 1, 2, … */
    int64_t size, said;             /* records of a page; X-Per-Page, or -1 */
    int64_t off;                    /* added to the total */
    bool no_total, ignores, silent; /* ignores: answers with page 1 always; silent: no X-Current-Page */
    enum past past;
    int64_t holes[2]; /* pages that hold nothing; 0: none */
    int64_t grows;    /* records that come at the end before each call but the first */
};

/* Pages of n records, and the server says so. */
#define SAID(n) .size = (n), .said = (n)

/* What changes it: chances in a thousand, before each answer. */
struct churn {
    const char *name;
    int insert, delete, swap;
};

struct list {
    struct server server;
    int64_t ids[ROOM];
    int64_t count, next;
    bool removed[ROOM * 4]; /* by id: at any time */
    uint64_t seed;
};

struct answer {
    int64_t total, current;
    int64_t ids[128];
    int64_t records;
    bool missing;
};

/* ---- the server ---- */

static void list_init(struct list *l, const struct server *server, uint64_t seed) {
    *l = (struct list){.server = *server, .seed = seed};
    for (l->count = 0; l->count < server->count; l->count++)
        l->ids[l->count] = l->count + 1;
    l->next = l->count + 1;
}

static void list_insert(struct list *l, int64_t at) {
    if (l->count == ROOM)
        return;
    memmove(&l->ids[at + 1], &l->ids[at], (size_t)(l->count - at) * sizeof *l->ids);
    l->ids[at] = l->next++;
    l->count++;
}

static void list_delete(struct list *l, int64_t at) {
    l->removed[l->ids[at]] = true;
    l->count--;
    memmove(&l->ids[at], &l->ids[at + 1], (size_t)(l->count - at) * sizeof *l->ids);
}

static int64_t place(struct list *l, int64_t limit) {
    return (int64_t)check_below(&l->seed, (uint64_t)limit);
}

/* Perhaps changes the list; returns whether it did. */
static bool list_churn(struct list *l, const struct churn *c) {
    bool changed = false;
    if (place(l, 1000) < c->insert) {
        list_insert(l, place(l, l->count + 1));
        changed = true;
    }
    if (l->count > 0 && place(l, 1000) < c->delete) {
        list_delete(l, place(l, l->count));
        changed = true;
    }
    if (l->count > 1 && place(l, 1000) < c->swap) {
        int64_t i = place(l, l->count), j = place(l, l->count), id = l->ids[i];
        l->ids[i] = l->ids[j];
        l->ids[j] = id;
        changed = true;
    }
    return changed;
}

static void list_answer(const struct list *l, int64_t page, struct answer *a) {
    const struct server *s = &l->server;
    int64_t last = l->count ? (l->count + s->size - 1) / s->size : 1, actual = page;
    *a = (struct answer){.total = s->no_total ? -1 : l->count + s->off};
    if (s->ignores)
        actual = 1;
    else if (page > last && (s->past == PAST_LAST || s->past == PAST_LAST_SILENT))
        actual = last;
    a->missing = page > last && s->past == PAST_MISSING;
    a->current = s->silent ? -1 : s->past == PAST_LAST_SILENT ? page : actual;
    if (a->missing || actual == s->holes[0] || actual == s->holes[1])
        return;
    for (int64_t i = (actual - 1) * s->size; i < actual * s->size && i < l->count; i++)
        a->ids[a->records++] = l->ids[i];
}

/* ---- the reader: as walk.c drives pass and dedup ---- */

struct reader {
    lua_State *L; /* slots: names, order */
    struct list *list;
    const struct churn *churn;
    int still_after; /* answers after which nothing changes any more; -1: never */
    int lookahead;
    struct pass pass;
    struct dedup dedup;
    struct reading reading;
    struct answer answers[80]; /* by page, a ring */
    int64_t asked;             /* the page to ask for next */
    int calls, answered;
    int changes, changes_before; /* of the list; before the last pass */
    bool failed;                 /* a page that was promised is missing */
    int64_t delivered[ROOM * 4], count;
    int64_t opening[ROOM], opening_count; /* the list when the first page of the last pass was answered */
};

enum { OTHER_IDS = 1 };

static void reader_answer(struct reader *r, int64_t page) {
    r->answered++;
    if (r->churn && (r->still_after < 0 || r->answered <= r->still_after))
        r->changes += list_churn(r->list, r->churn);
    for (int64_t i = 0; i < r->list->server.grows && r->answered > 1; i++)
        list_insert(r->list, r->list->count);
    list_answer(r->list, page, &r->answers[page % 80]);
}

/* Asks for what may be asked ahead of `next`; the server answers in any order. */
static void reader_ask(struct reader *r, int64_t next, bool need) {
    int64_t most = next - 1 + r->lookahead, last = pass_last(&r->pass), first = r->asked;
    if (last < most)
        most = last;
    if (need && next > most)
        most = next;
    int64_t order[80], count = 0;
    for (; r->asked <= most; r->asked++)
        order[count++] = r->asked;
    for (int64_t i = count - 1; i > 0 && first > 1; i--) {
        int64_t j = place(r->list, i + 1), page = order[i];
        order[i] = order[j];
        order[j] = page;
    }
    r->calls += (int)count;
    for (int64_t i = 0; i < count; i++)
        reader_answer(r, order[i]);
}

/* Sifts the records of an answer; what is new is delivered, or, in an exact reading, kept. */
static int64_t reader_take(struct reader *r, const struct answer *a) {
    lua_createtable(r->L, (int)a->records, 0);
    for (int64_t i = 0; i < a->records; i++) {
        lua_createtable(r->L, 0, 1);
        lua_pushinteger(r->L, a->ids[i]);
        lua_setfield(r->L, -2, "id");
        lua_rawseti(r->L, -2, i + 1);
    }
    int at = lua_gettop(r->L);
    r->dedup.keep_order = r->reading.exact;
    const uint64_t *numbers = dedup_number(r->L, &r->dedup, OTHER_IDS);
    struct dedup_page page = dedup_take(r->L, &r->dedup, at, numbers, 0);
    lua_settop(r->L, at);
    for (lua_Integer i = 1; i <= page.kept; i++) {
        lua_rawgeti(r->L, -1, i);
        lua_getfield(r->L, -1, "id");
        r->delivered[r->count++] = lua_tointeger(r->L, -1);
        lua_pop(r->L, 2);
    }
    lua_pop(r->L, 1);
    return page.fresh;
}

static void reader_page(struct reader *r, int64_t page) {
    const struct server *s = &r->list->server;
    struct answer *a = &r->answers[page % 80];
    struct page_seen seen = {page, a->total, a->current, s->said, a->records, 0};
    if (a->missing) {
        r->failed = !pass_beyond(&r->pass, page);
        seen.total = seen.current = seen.size = -1;
    }
    seen.fresh = reader_take(r, a);
    pass_page(&r->pass, &seen);
}

static void reader_pass(struct reader *r) {
    int64_t page = r->pass.first;
    r->asked = page;
    r->changes_before = r->changes;
    for (; !r->pass.over && !r->failed; page++) {
        if (r->asked <= page)
            reader_ask(r, page, true);
        if (page == r->pass.first) {
            r->opening_count = r->list->count;
            memcpy(r->opening, r->list->ids, sizeof r->opening);
        }
        reader_page(r, page);
        if (!r->pass.over)
            reader_ask(r, page + 1, false);
        CHECK(r->calls < MOST_CALLS, "it goes on for ever");
    }
}

/* What comes after the last pass: as pass_next. */
static enum pass_next reader_next(struct reader *r) {
    struct reading *g = &r->reading;
    g->same = g->passes > 1 && dedup_same(&r->dedup);
    g->in_order = r->dedup.in_order;
    g->ids = r->dedup.current.count;
    return pass_next(&r->pass, g);
}

static enum pass_next reader_read(struct reader *r) {
    enum pass_next next = PASS_AGAIN;
    lua_settop(r->L, 0);
    lua_newtable(r->L);
    lua_newtable(r->L);
    r->reading.passes = 0;
    while (next == PASS_AGAIN && !r->failed) {
        if (r->reading.passes++ > 0) {
            CHECK(dedup_next_pass(&r->dedup), "memory");
            r->dedup.later_pass = !r->reading.exact;
            r->count = r->reading.exact ? 0 : r->count;
        }
        pass_start(&r->pass, r->pass.first ? r->pass.first : 1, 0);
        reader_pass(r);
        next = reader_next(r);
    }
    dedup_free(&r->dedup);
    return next;
}

#endif
