/* Lists that change while they are read, thousands of them: no record twice, none lost without a word where the totals can
 * tell, and nothing accepted as exact that was true at no instant. Prints how often totals cannot tell.
 */
#include "spec/paging/reader.h"

static const struct churn kinds[] = {
    {"insertions", 300, 0, 0},  {"deletions", 0, 300, 0}, {"both", 300, 300, 0},
    {"reorderings", 0, 0, 300}, {"all", 200, 200, 200},
};

static bool holds(const int64_t *ids, int64_t count, int64_t id) {
    for (int64_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Marks what was delivered; no record twice. */
static void mark(const struct reader *r, bool *has) {
    memset(has, 0, ROOM * 4 * sizeof *has);
    for (int64_t i = 0; i < r->count; i++) {
        CHECK(!has[r->delivered[i]], "record %lld came twice", (long long)r->delivered[i]);
        has[r->delivered[i]] = true;
    }
}

/* Records that were there all the time and were not delivered. */
static int64_t lost(const struct reader *r, const bool *has) {
    int64_t missing = 0;
    for (int64_t id = 1; id <= r->list->server.count; id++)
        missing += !r->list->removed[id] && !has[id];
    return missing;
}

struct figures {
    int walks, healed, told, silent, stirred;
    int64_t records, lost;
};

static void simulate_default(lua_State *L, const struct churn *kind, uint64_t seed, struct figures *f) {
    static struct list list;
    static struct reader r;
    static bool has[ROOM * 4];
    struct server server = {SAID(20)};
    uint64_t random = seed;
    server.count = (int64_t)check_below(&random, 400);
    list_init(&list, &server, seed);
    r = (struct reader){.L = L, .list = &list, .churn = kind, .lookahead = (int)check_below(&random, 9)};
    r.still_after = check_below(&random, 2) ? (int)check_below(&random, 30) : -1;
    CHECK(reader_read(&r) == PASS_DONE, "seed %llu", (unsigned long long)seed);
    mark(&r, has);
    int64_t missing = lost(&r, has);
    bool drifted = strcmp(pass_verdict(&r.pass, &r.reading), "complete") != 0;
    bool still = r.changes == r.changes_before;
    if (still) { /* a pass over a list that holds still brings what is there, and is taken for what it is */
        for (int64_t i = 0; i < list.count; i++)
            CHECK(has[list.ids[i]], "seed %llu: lost record %lld", (unsigned long long)seed, (long long)list.ids[i]);
        CHECK(!drifted, "seed %llu: %s", (unsigned long long)seed, pass_verdict(&r.pass, &r.reading));
    }
    if (r.changes == 0)
        CHECK(r.reading.passes == 1 && r.calls == (int)(list.count ? (list.count + 19) / 20 : 1), "seed %llu: %d calls",
              (unsigned long long)seed, r.calls);
    f->walks++;
    f->stirred += r.changes > 0;
    f->healed += r.reading.passes > 1 && !drifted;
    f->told += drifted;
    f->silent += missing > 0 && !drifted;
    f->records += server.count;
    f->lost += drifted ? 0 : missing;
}

/* Whatever an exact reading accepts was the whole list at one instant. Returns whether it accepted. */
static bool simulate_exact(lua_State *L, const struct churn *kind, uint64_t seed, bool no_total) {
    static struct list list;
    static struct reader r;
    static bool has[ROOM * 4];
    struct server server = {SAID(10), .no_total = no_total};
    uint64_t random = seed;
    server.count = (int64_t)check_below(&random, 80);
    list_init(&list, &server, seed);
    r = (struct reader){.L = L, .list = &list, .churn = kind, .lookahead = (int)check_below(&random, 9)};
    r.still_after = check_below(&random, 2) ? (int)check_below(&random, 60) : -1;
    r.reading.exact = true;
    if (reader_read(&r) != PASS_PROVED)
        return false;
    mark(&r, has);
    CHECK(r.count == r.opening_count, "seed %llu: %lld records, there were %lld", (unsigned long long)seed,
          (long long)r.count, (long long)r.opening_count);
    for (int64_t i = 0; i < r.count; i++)
        CHECK(holds(r.opening, r.opening_count, r.delivered[i]), "seed %llu: record %lld was not there",
              (unsigned long long)seed, (long long)r.delivered[i]);
    return true;
}

/* A list of 1,000 in ten pages of 100, four asked ahead, and so many pairs of an insertion and a deletion while it is
 * read: how many of these walks lose a record and do not know. */
static void readme_figure(lua_State *L, int pairs) {
    static struct list list;
    static struct reader r;
    static bool has[ROOM * 4];
    enum { WALKS = 2000 };
    struct churn churn = {"pairs", 100 * pairs, 100 * pairs, 0};
    struct server server = {.count = 1000, SAID(100)};
    int silent = 0, told = 0;
    int64_t records = 0;
    for (uint64_t seed = 1; seed <= WALKS; seed++) {
        list_init(&list, &server, seed);
        r = (struct reader){.L = L, .list = &list, .churn = &churn, .still_after = -1, .lookahead = 4};
        CHECK(reader_read(&r) == PASS_DONE, "it did not end");
        mark(&r, has);
        bool drifted = strcmp(pass_verdict(&r.pass, &r.reading), "complete") != 0;
        int64_t missing = lost(&r, has);
        told += drifted;
        silent += missing > 0 && !drifted;
        records += drifted ? 0 : missing;
    }
    printf(
        "1,000 records, %d inserted and %d deleted a pass: a record is lost in silence in %.2f %% of %d walks (%.2f a "
        "million records); told as drifted: %.2f %%\n",
        pairs, pairs, 100.0 * silent / WALKS, WALKS, 1e6 * (double)records / (1000.0 * WALKS), 100.0 * told / WALKS);
}

int main(void) {
    enum { SEEDS = 1500 };
    lua_State *L = luaL_newstate();
    CHECK(L != NULL, "memory");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct figures f = {.walks = 0};
        int accepted = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            simulate_default(L, &kinds[k], seed, &f);
            accepted += simulate_exact(L, &kinds[k], seed, false);
            if (!kinds[k].swap && !(kinds[k].insert && kinds[k].delete)) /* without totals no more can be proved */
                simulate_exact(L, &kinds[k], seed, true);
        }
        printf("%-12s %d of %d walks stirred; read again and healed %d, told as drifted %d, lost in silence %d (%lld "
               "records); exact accepted %d, all true\n",
               kinds[k].name, f.stirred, f.walks, f.healed, f.told, f.silent, (long long)f.lost, accepted);
        CHECK(f.healed > 0 && accepted > SEEDS / 10, "the simulation does not try what it should");
    }
    readme_figure(L, 1);
    readme_figure(L, 3);
    lua_close(L);
    return 0;
}
