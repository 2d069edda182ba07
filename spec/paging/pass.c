/* The paging policy: a table of servers, each with the calls and the verdict that it should lead to. */
#include "spec/paging/reader.h"

struct row {
    const char *name;
    struct server server;
    int calls, passes;
    const char *verdict;
    int64_t delivered, unseen;
    int64_t first; /* page to start with; 0: 1 */
};

#define UNSAID(n) .size = (n), .said = -1

static const struct row rows[] = {
    {"nothing", {.count = 0, SAID(100)}, 1, 1, "complete", 0, 0, 0},
    {"one", {.count = 1, SAID(100)}, 1, 1, "complete", 1, 0, 0},
    {"a full page", {.count = 100, SAID(100)}, 1, 1, "complete", 100, 0, 0},
    {"one more", {.count = 101, SAID(100)}, 2, 1, "complete", 101, 0, 0},
    {"several", {.count = 250, SAID(100)}, 3, 1, "complete", 250, 0, 0},
    {"several full ones", {.count = 300, SAID(100)}, 3, 1, "complete", 300, 0, 0},
    {"from the second page", {.count = 250, SAID(100)}, 2, 1, "complete", 150, 0, 2},
    {"from beyond the end", {.count = 250, SAID(100)}, 1, 1, "complete", 0, 0, 9},
    {"pages smaller than asked, as it says", {.count = 250, SAID(50)}, 5, 1, "complete", 250, 0, 0},
    {"as it does not say", {.count = 250, .size = 50, .said = 100}, 5, 1, "complete", 250, 0, 0},
    {"nor says anything", {.count = 250, UNSAID(50)}, 5, 1, "complete", 250, 0, 0},
    {"pages larger than it says", {.count = 250, .size = 100, .said = 10}, 3, 1, "complete", 250, 0, 0},
    {"one page and no X-Per-Page", {.count = 50, UNSAID(100)}, 1, 1, "complete", 50, 0, 0},
    {"one full page and no X-Per-Page", {.count = 100, UNSAID(100)}, 1, 1, "complete", 100, 0, 0},

    {"no total", {.count = 250, SAID(100), .no_total = true}, 4, 1, "complete", 250, 0, 0},
    {"no total, full pages", {.count = 200, SAID(100), .no_total = true}, 3, 1, "complete", 200, 0, 0},
    {"no total, last page again",
     {.count = 200, SAID(100), .no_total = true, .past = PAST_LAST},
     3,
     1,
     "complete",
     200,
     0,
     0},
    {"no total, a short page, then not found",
     {.count = 250, SAID(100), .no_total = true, .past = PAST_MISSING},
     4,
     1,
     "complete",
     250,
     0,
     0},
    {"no total, nothing", {.count = 0, SAID(100), .no_total = true}, 1, 1, "complete", 0, 0, 0},
    {"no headers", {.count = 250, UNSAID(100), .no_total = true, .silent = true}, 4, 1, "complete", 250, 0, 0},
    {"no headers, last page again",
     {.count = 250, UNSAID(100), .no_total = true, .silent = true, .past = PAST_LAST},
     4,
     1,
     "complete",
     250,
     0,
     0},

    {"more promised", {.count = 250, SAID(100), .off = 10}, 6, 2, "complete", 250, 10, 0},
    {"a page more promised", {.count = 250, SAID(100), .off = 100}, 8, 2, "complete", 250, 100, 0},
    {"many pages more promised", {.count = 250, SAID(100), .off = 10000}, 10, 2, "complete", 250, 10000, 0},
    {"more promised, last page again",
     {.count = 250, SAID(100), .off = 100, .past = PAST_LAST},
     8,
     2,
     "clamped",
     250,
     100,
     0},
    {"the same, not said",
     {.count = 250, SAID(100), .off = 100, .past = PAST_LAST_SILENT},
     10,
     2,
     "looped",
     250,
     100,
     0},
    {"less promised", {.count = 250, SAID(100), .off = -20}, 3, 1, "complete", 250, 0, 0},
    {"a page less promised", {.count = 250, SAID(100), .off = -120}, 3, 1, "complete", 250, 0, 0},
    {"less, full pages, last again",
     {.count = 200, SAID(100), .off = -50, .past = PAST_LAST},
     3,
     1,
     "complete",
     200,
     0,
     0},
    {"less, full pages, then empty", {.count = 200, SAID(100), .off = -50}, 3, 1, "complete", 200, 0, 0},
    {"less, full pages, not found",
     {.count = 200, SAID(100), .off = -50, .past = PAST_MISSING},
     3,
     1,
     "complete",
     200,
     0,
     0},
    {"nothing promised", {.count = 250, SAID(100), .off = -250}, 3, 1, "complete", 250, 0, 0},
    {"less, no X-Per-Page", {.count = 250, UNSAID(100), .off = -200}, 4, 1, "complete", 250, 0, 0},

    {"a hole", {.count = 350, SAID(100), .holes = {2}}, 8, 2, "complete", 250, 100, 0},
    {"a hole at the start", {.count = 350, SAID(100), .holes = {1}}, 8, 2, "complete", 250, 100, 0},
    {"the same where pages are smaller",
     {.count = 350, .size = 50, .said = 100, .holes = {1}},
     14,
     2,
     "complete",
     300,
     50,
     0},
    {"and no X-Per-Page", {.count = 350, UNSAID(100), .holes = {1}}, 8, 2, "complete", 250, 100, 0},
    {"a hole at the end", {.count = 350, SAID(100), .holes = {4}}, 8, 2, "complete", 300, 50, 0},
    {"two holes apart", {.count = 550, SAID(100), .holes = {2, 4}}, 12, 2, "complete", 350, 200, 0},
    {"two together", {.count = 550, SAID(100), .holes = {2, 3}}, 6, 2, "complete", 100, 450, 0},

    {"page 1 always", {.count = 250, SAID(100), .ignores = true}, 4, 2, "clamped", 100, 150, 0},
    {"page 1 always, not said",
     {.count = 250, SAID(100), .ignores = true, .silent = true},
     6,
     2,
     "looped",
     100,
     150,
     0},
    {"page 1 always, and it is all", {.count = 80, SAID(100), .ignores = true}, 1, 1, "complete", 80, 0, 0},
    {"it grows", {.count = 250, SAID(100), .grows = 30}, 4, 1, "complete", 340, 0, 0},
    {"it grows a page a call", {.count = 250, SAID(100), .grows = 60}, 5, 1, "complete", 490, 0, 0},
};

static void table(lua_State *L) {
    static struct list list;
    static struct reader r;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        list_init(&list, &row->server, 1);
        r = (struct reader){.L = L, .list = &list, .still_after = -1};
        r.pass.first = row->first;
        r.reading.once = row->first > 0;
        enum pass_next next = reader_read(&r);
        CHECK(!r.failed && next == PASS_DONE, "%s: it did not end", row->name);
        const char *verdict = pass_verdict(&r.pass, &r.reading);
        CHECK(r.calls == row->calls, "%s: %d calls", row->name, r.calls);
        CHECK(r.reading.passes == row->passes, "%s: %d passes", row->name, r.reading.passes);
        CHECK(strcmp(verdict, row->verdict) == 0, "%s: %s", row->name, verdict);
        CHECK(r.count == row->delivered, "%s: %lld delivered", row->name, (long long)r.count);
        CHECK(pass_unseen(&r.pass) == row->unseen, "%s: %lld unseen", row->name, (long long)pass_unseen(&r.pass));
    }
}

/* A record that came twice though nothing was added makes a pass suspect, also where the number of records is right. */
static void repeated(void) {
    static const struct page_seen rows_of[][3] = {
        {{1, 250, 1, 100, 100, 100}, {2, 250, 2, 100, 100, 99}, {3, 250, 3, 100, 51, 51}},
        {{1, 250, 1, 100, 100, 100}, {2, 251, 2, 100, 100, 99}, {3, 251, 3, 100, 52, 52}}, /* one was added */
    };
    for (int added = 0; added < 2; added++) {
        struct pass p;
        struct reading r = {.passes = 1};
        pass_start(&p, 1, 0);
        for (int i = 0; i < 3; i++)
            pass_page(&p, &rows_of[added][i]);
        CHECK(p.over && p.duplicates == 1 && pass_unseen(&p) == 0, "%d added", added);
        CHECK(pass_suspect(&p) == !added, "%d added", added);
        CHECK(pass_next(&p, &r) == (added ? PASS_DONE : PASS_AGAIN), "%d added", added);
        CHECK(strcmp(pass_verdict(&p, &r), added ? "complete" : "drifted") == 0, "%d added", added);
    }
}

/* Records without an id: a later pass that has more of them than the first delivered has lost one. */
static void unidentified(lua_State *L) {
    struct dedup dedup = {.other_ids = 0};
    static const int counts[] = {2, 3, 3, 2, 1};
    for (int pass = 0; pass < 5; pass++) {
        if (pass > 0)
            CHECK(dedup_next_pass(&dedup), "memory");
        lua_settop(L, 0);
        lua_newtable(L);
        lua_newtable(L);
        for (int i = 1; i <= counts[pass]; i++) {
            lua_newtable(L);
            lua_rawseti(L, -2, i);
        }
        const uint64_t *numbers = dedup_number(L, &dedup, 1);
        struct dedup_page page = dedup_take(L, &dedup, 2, numbers, 0);
        CHECK(page.fresh == counts[pass] && page.kept == (pass == 0 ? 2 : 0), "pass %d", pass);
        CHECK(pass == 0 || dedup_same(&dedup) == (counts[pass] == counts[pass - 1]), "pass %d", pass);
    }
    dedup_free(&dedup);
    struct pass p;
    pass_start(&p, 1, 0);
    pass_page(&p, &(struct page_seen){1, 3, 1, 100, 3, 3});
    struct reading r = {.passes = 2, .lost = true};
    CHECK(pass_next(&p, &r) == PASS_AGAIN && strcmp(pass_verdict(&p, &r), "drifted") == 0, "a lost record is told of");
    r.same = true;
    CHECK(pass_next(&p, &r) == PASS_DONE && strcmp(pass_verdict(&p, &r), "drifted") == 0, "also where it settles");
}

/* Numbers from a server that mean harm overflow nothing, and it ends. */
static void absurd(void) {
    static const int64_t numbers[] = {-1, 0, 1, 100, (INT64_C(1) << 53) - 1};
    enum { MANY = sizeof numbers / sizeof *numbers };
    for (int i = 0; i < MANY * MANY * MANY; i++) {
        struct pass p;
        int64_t first = i % 2 ? 1 : INT64_C(1) << 40;
        pass_start(&p, first, 0);
        for (int64_t page = first; !p.over; page++) {
            CHECK(page < first + 1000, "it goes on for ever");
            bool full = page == first && i % 3;
            struct page_seen s = {page,           numbers[i % MANY], numbers[i / MANY % MANY], numbers[i / MANY / MANY],
                                  full ? 100 : 0, full ? 100 : 0};
            pass_page(&p, &s);
            CHECK(pass_last(&p) >= 0 && pass_unseen(&p) >= 0, "an overflow");
        }
    }
}

int main(void) {
    lua_State *L = luaL_newstate();
    CHECK(L != NULL, "memory");
    table(L);
    repeated();
    unidentified(L);
    absurd();
    lua_close(L);
    puts("pass: ok");
    return 0;
}
