/* A simulated service, and greedy clients that the policy governs, over many seeds. With an argument, a number of seeds: prints
 * the table of what each policy makes of each scenario, instead of checking it. */
#include "http/throttle.h"

#include <math.h>

#include "spec/support/check.h"
#include "spec/support/service.h"

static const struct scenario room[] = {
    /* all return at once and go at once: two calls fewer after the first eight, and a moment of waiting, may cost a whole round */
    {"room", 1.045, .jitter = 0},
    {"room, a list", 1.045, .first_alone = true},
    {"room, jitter 25 %", 1.03, .jitter = 0.25},
    {"room, jitter 50 %", 1.03, .jitter = 0.5},
    {"room, jitter 50 % both ways", 1.05, .jitter = 0.5, .below = 0.5},
    {"room, jitter 50 %, a list", 1.03, .jitter = 0.5, .first_alone = true},
    {"room, spikes", 1.03, .jitter = 0.25, .spikes = 0.02, .spike = 8},
    {"room, lists and records", 1.05, .jitter = 0.25, .records = 0.7, .record = 6},
    {"room, slower from 0.3 s", 1.12, .jitter = 0.25, .change = 0.3, .service_then = 60},
    {"room, 2000 calls", 1.01, .calls = 2000, .jitter = 0.5},
    {"room, 2000 calls, both ways", 1.03, .calls = 2000, .jitter = 0.5, .below = 0.5},
    {"room, 64 in flight", 1.03, .calls = 2000, .max_in_flight = 64, .jitter = 0.5},
    {"room, 2 in flight", 1.03, .max_in_flight = 2, .jitter = 0.5},
};

#define LINE .calls = 202, .service = 50

static const struct scenario line[] = {
    {"1 worker of 50 ms", 1.05, 0, 1.5, LINE, .workers = 1},
    {"2 workers", 1.05, 0, 1.5, LINE, .workers = 2},
    {"3 workers", 1.05, 0, 1.5, LINE, .workers = 3},
    {"4 workers", 1.05, 0, 1.5, LINE, .workers = 4},
    {"6 workers", 1.05, 0, 1.5, LINE, .workers = 6},
    {"2 workers, a list", 1.05, 0, 1.5, LINE, .workers = 2, .first_alone = true},
    {"2 workers, jitter 25 %", 1.05, 0, 1.5, LINE, .workers = 2, .jitter = 0.25},
    {"4 workers, jitter 50 %", 1.05, 0, 1.5, LINE, .workers = 4, .jitter = 0.5},
    {"6 workers, jitter 25 %", 1.05, 0, 1.5, LINE, .workers = 6, .jitter = 0.25},
    {"2 workers, 20 ms away", 1.05, 0, 1.5, LINE, .workers = 2, .net = 20},
    {"2 workers, then 6", 1.05, 0, 1.5, .calls = 400, .service = 50, .workers = 2, .change = 3, .workers_then = 6},
    {"6 workers, then 2", 1.05, 0, 1.8, .calls = 400, .service = 50, .workers = 6, .change = 1.5, .workers_then = 2},
    {"2 workers, faster from 5 s", 1.05, 0, 3, .calls = 1000, .service = 200, .workers = 2, .change = 5,
     .service_then = 50},
    {"2 workers, lists and records", 1.05, 0, 1.9, LINE, .workers = 2, .jitter = 0.25, .records = 0.7, .record = 15},
};

#define BUCKET .rate = 20, .burst = 10, .retry_after
#define SMALL .calls = 202, BUCKET

static const struct scenario bucket[] = {
    {"bucket 20/s of 10, Retry-After", 1.15, 0.03, SMALL = true},
    {"bucket 20/s of 10, nothing", 1.15, 0.03, SMALL = false},
    {"the same, a list, Retry-After", 1.15, 0.03, SMALL = true, .first_alone = true},
    {"the same, a list, nothing", 1.15, 0.03, SMALL = false, .first_alone = true},
    {"the same, a list, jitter 5 %, Retry-After", 1.15, 0.03, SMALL = true, .first_alone = true, .jitter = 0.05},
    {"the same, a list, jitter 5 %, nothing", 1.15, 0.03, SMALL = false, .first_alone = true, .jitter = 0.05},
    {"the same, jitter 50 %, Retry-After", 1.15, 0.03, SMALL = true, .jitter = 0.5},
    {"the same, jitter 50 %, nothing", 1.15, 0.03, SMALL = false, .jitter = 0.5},
    {"the same, 2 ms, Retry-After", 1.17, 0.03, SMALL = true, .service = 2, .jitter = 0.5},
    {"the same, 2 ms, nothing", 1.15, 0.03, SMALL = false, .service = 2, .jitter = 0.5},
    {"the same, 100 ms, Retry-After", 1.18, 0.04, SMALL = true, .service = 100, .jitter = 0.25},
    {"the same, 100 ms, nothing", 1.15, 0.03, SMALL = false, .service = 100, .jitter = 0.25},
    {"the same, 2 clients, Retry-After", 1.8, 0.06, SMALL = true, .jitter = 0.25, .clients = 2},
    {"the same, 2 clients, nothing", 1.8, 0.06, SMALL = false, .jitter = 0.25, .clients = 2},
    {"the same, 4 clients, Retry-After", 1.8, 0.08, SMALL = true, .jitter = 0.25, .clients = 4},
    {"the same, 4 clients, nothing", 1.8, 0.07, SMALL = false, .jitter = 0.25, .clients = 4},
    {"the same, 2000 calls, Retry-After", 1.08, 0.01, .calls = 2000, BUCKET = true},
    {"the same, 2000 calls, nothing", 1.03, 0.01, .calls = 2000, BUCKET = false},
    {"bucket 2/s of 5, Retry-After", 1.05, 0.07, .calls = 202, .rate = 2, .burst = 5, .retry_after = true},
    {"bucket 2/s of 5, nothing", 1.05, 0.07, .calls = 202, .rate = 2, .burst = 5},
    {"bucket 5/s of 10, Retry-After", 1.05, 0.05, .calls = 202, .rate = 5, .burst = 10, .retry_after = true},
    {"bucket 5/s of 10, nothing", 1.05, 0.055, .calls = 202, .rate = 5, .burst = 10},
    {"bucket 1/s of 10, Retry-After", 1.05, 0.11, .calls = 202, .rate = 1, .burst = 10, .retry_after = true},
    {"bucket 1/s of 10, nothing", 1.05, 0.12, .calls = 202, .rate = 1, .burst = 10},
    {"bucket 0.5/s of 10, Retry-After", 1.05, 0.19, .calls = 100, .rate = 0.5, .burst = 10, .retry_after = true},
    {"bucket 5/s of 1, Retry-After", 1.6, 0.05, .calls = 202, .rate = 5, .burst = 1, .retry_after = true},
    {"bucket 50/s of 20, Retry-After", 1.2, 0.02, .calls = 1000, .rate = 50, .burst = 20, .retry_after = true},
    {"bucket 50/s of 20, nothing", 1.05, 0.02, .calls = 1000, .rate = 50, .burst = 20},
    {"bucket 20/s of 100, Retry-After", 1.05, 0.02, .calls = 1000, .rate = 20, .burst = 100, .retry_after = true},
    {"bucket 200/s of 50, Retry-After", 1.6, 0.02, .calls = 2000, .rate = 200, .burst = 50, .retry_after = true},
    {"bucket 200/s of 50, nothing", 1.05, 0.02, .calls = 2000, .rate = 200, .burst = 50},
    {"bucket 20/s of 10, headers", 1.5, 0.03, SMALL = false, .headers = true},
    {"100 each 5 s, Retry-After", 1.3, 0.02, .calls = 1000, .rate = 100, .window = 5, .retry_after = true},
    {"100 each 5 s, headers", 1.05, 0, .calls = 1000, .rate = 100, .window = 5, .headers = true},
};

#define WINDOW(n, s) .calls = 600, .rate = n, .window = s, .anywhere = true

/* a limit of so many calls a window, whose refusals do not say when it ends */
static const struct scenario window[] = {
    {"20 each second", 1.3, 0.035, WINDOW(20, 1)},
    {"20 each second, one at a time", 1.35, 0.035, WINDOW(20, 1), .max_in_flight = 1},
    {"60 each 10 s", 1.35, 0.03, WINDOW(60, 10)},
    {"60 each 10 s, one at a time", 1.55, 0.03, WINDOW(60, 10), .max_in_flight = 1},
    {"60 each 60 s", 1.16, 0.065, WINDOW(60, 60)},
    {"60 each 60 s, one at a time", 1.22, 0.06, WINDOW(60, 60), .max_in_flight = 1},
    {"300 each 60 s", 1.1, 0.025, WINDOW(300, 60)},
    {"60 each 10 s, Retry-After", 1.1, 0.05, WINDOW(60, 10), .retry_after = true},
    {"60 each 10 s, Retry-After: 1", 1.3, 0.05, WINDOW(60, 10), .retry_after = true, .says = 1},
    {"60 each 60 s, Retry-After", 1.05, 0.04, WINDOW(60, 60), .retry_after = true},
    {"300 each 60 s, Retry-After", 1.05, 0.01, WINDOW(300, 60), .retry_after = true},
    {"10 each 10 s, one at a time", 1.18, 0.11, WINDOW(10, 10), .max_in_flight = 1},
    {"60 each 60 s, 2 clients", 1.1, 0.125, WINDOW(60, 60), .clients = 2},
};

/* refusals that have nothing to do with the pace: calls that nobody can save, but time */
static const struct scenario stray[] = {
    {"429 to each 3rd", 62, 0.34, .every = 3},
    {"429 to each 5th", 14, 0.22, .every = 5},
    {"429 to each 10th", 3.5, 0.13, .every = 10},
    {"429 to 20 %", 25, 0.22, .refusals = 0.2},
    {"429 to 10 %, 2000 calls", 13, 0.11, .calls = 2000, .refusals = 0.1},
    {"429 to 2 %, 2000 calls", 1.8, 0.03, .calls = 2000, .refusals = 0.02},
};

/* limits of the calls at once, answered by 503, or by 429, which is taken for a limit of the pace */
static const struct scenario at_once[] = {
    {"503: 3 at once", 3.5, 0.07, .calls = 600, .at_once = 3, .overload = true},
    {"503: 1 at once", 2.9, 0.13, .calls = 600, .at_once = 1, .overload = true},
    {"429: 3 at once", 3.2, 0.02, .calls = 600, .at_once = 3},
    {"429: 5 at once, jitter 50 %", 3.3, 0.02, .calls = 600, .at_once = 5, .jitter = 0.5},
    {"429: 1 at once", 2.9, 0.02, .calls = 600, .at_once = 1},
};

static const struct scenario faults[] = {
    {"503 of all for 1 s", 1.1, .calls = 1000, .fault_from = 0.5, .fault_to = 1.5, .faults = 1},
    {"503 of all for 5 s", 1.1, .calls = 1000, .fault_from = 0.5, .fault_to = 5.5, .faults = 1},
    {"503 of half for 1 s", 1.15, .calls = 1000, .fault_from = 0.5, .fault_to = 1.5, .faults = 0.5},
    {"503 of 1 %", 1.2, .calls = 1000, .fault_to = 100, .faults = 0.01},
};

/* Seconds that nothing can beat: what the limit lets through, or the best fixed number in flight. */
static double ideal(const struct scenario *s, uint64_t seed) {
    double calls = (s->calls ? s->calls : 200) * (s->clients ? s->clients : 1);
    if (s->window > 0)
        return (ceil(calls / s->rate) - 1) * s->window;
    if (s->rate > 0)
        return (calls - s->burst) / s->rate;
    if (s->at_once > 0)
        return calls / s->at_once * 0.02 * (1 + s->jitter / 2);
    if (!s->workers)
        return simulate(s, FIXED, 0, seed).time;
    double best = INFINITY;
    for (int fixed = 1; fixed <= 8; fixed++)
        best = fmin(best, simulate(s, FIXED, fixed, seed).time);
    return best;
}

struct average {
    double ratio, ratio_most, refused, failed, line, limit, least_limit, rate;
};

static struct average average(const struct scenario *s, enum policy policy, int seeds) {
    struct average a = {0};
    double sent = 0, refused = 0;
    for (int seed = 1; seed <= seeds; seed++) {
        struct result r = simulate(s, policy, 0, (uint64_t)seed);
        double ratio = r.time / ideal(s, (uint64_t)seed);
        a.ratio += ratio / seeds;
        a.ratio_most = fmax(a.ratio_most, ratio);
        a.line += r.line / seeds;
        a.limit += r.limit / seeds;
        a.least_limit += r.limit_least / seeds;
        a.rate += r.rate / seeds;
        refused += r.refused;
        a.failed += r.failed;
        sent += r.sent;
    }
    a.refused = refused / sent;
    return a;
}

static void print_table(const struct scenario *table, size_t size, int seeds) {
    for (size_t i = 0; i < size; i++)
        for (int policy = FIXED; policy < POLICIES; policy++) {
            struct average a = average(&table[i], (enum policy)policy, seeds);
            printf("%-35s %-9s %6.3f %6.3f %6.1f %% %6g %6.2f", policy == FIXED ? table[i].name : "",
                   policy_names[policy], a.ratio, a.ratio_most, 100 * a.refused, a.failed, a.line);
            if (policy == FIXED)
                putchar('\n');
            else
                printf(" %6.1f %6.1f %7.1f\n", a.limit, a.least_limit, policy == OURS ? a.rate : 0);
        }
}

static void check_table(const struct scenario *table, size_t size, int seeds) {
    for (size_t i = 0; i < size; i++) {
        const struct scenario *s = &table[i];
        struct average a = average(s, OURS, seeds);
        CHECK(a.ratio <= s->time_most, "%s: %.3f of the ideal time", s->name, a.ratio);
        CHECK(a.refused <= s->refused_most, "%s: %.1f %% refused", s->name, 100 * a.refused);
        CHECK(a.failed <= 1 + s->clients || s->refusals > 0 || s->every > 0 || s->faults > 0, "%s: %g calls failed",
              s->name, a.failed);
        CHECK(a.line <= s->line_most, "%s: %.2f calls in line", s->name, a.line);
        if (s->faults > 0)
            CHECK(a.least_limit < 4 && a.limit > 6, "%s: limit down to %.1f, at the end %.1f", s->name, a.least_limit,
                  a.limit);
    }
}

/* Jobs of a few calls take no longer than without the policy, but for those that end just after the second round. */
static void tiny(int seeds) {
    double sum = 0;
    for (int calls = 1; calls <= 20; calls++) {
        struct scenario s = {"tiny", .calls = calls, .jitter = 0.5};
        double ratio = average(&s, OURS, seeds).ratio;
        CHECK(calls > 8 || fabs(ratio - 1) < 1e-9, "%d calls: %.3f", calls, ratio);
        CHECK(ratio < 1.4, "%d calls: %.3f", calls, ratio);
        sum += ratio / 20;
    }
    CHECK(sum < 1.08, "%.3f on average", sum);
}

/* ---- the parts that are no matter of degree ---- */

static struct throttle begin(int max_in_flight, double rate, bool adaptive) {
    struct throttle t;
    throttle_init(&t, &(struct throttle_config){max_in_flight, rate, 60, adaptive, false, 0.5});
    return t;
}

static void end(struct throttle *t, int64_t now, enum throttle_kind kind, double retry_after) {
    throttle_ended(t, &(struct throttle_event){now, now - 20 * MS, 20 * MS, kind, retry_after, 1});
}

static void fixed_limits(void) {
    struct throttle t = begin(8, 10, false);
    CHECK(throttle_next(&t, S) <= S, "the first at once");
    throttle_started(&t, S);
    CHECK(throttle_next(&t, S) == S + 100 * MS, "by the rate");
    for (int i = 0; i < 100; i++) {
        end(&t, 2 * S, THROTTLE_REFUSED, -1);
        end(&t, 2 * S, THROTTLE_OVERLOADED, -1);
    }
    throttle_headers(&t, 2 * S, &(struct ratelimit){10, 0, 30, 60}, 0);
    CHECK(throttle_limit(&t) == 8 && throttle_rate(&t) == 0 && throttle_next(&t, 2 * S) <= 2 * S, "nothing is learnt");
    end(&t, 2 * S, THROTTLE_REFUSED, 3);
    CHECK(throttle_next(&t, 2 * S) == 5 * S, "but Retry-After holds");
    end(&t, 2 * S, THROTTLE_OVERLOADED, 1);
    CHECK(throttle_next(&t, 2 * S) == 5 * S, "the longest of them");
}

static void ceilings(void) {
    struct throttle t = begin(4, 2, true);
    for (int64_t now = S; now < 100 * S; now += 20 * MS) {
        throttle_started(&t, now);
        CHECK(throttle_next(&t, now) == now + 500 * MS, "the user's rate");
        end(&t, now + 20 * MS, THROTTLE_OK, -1);
        CHECK(throttle_limit(&t) <= 4, "limit %d", throttle_limit(&t));
    }
}

static void quota(void) {
    struct throttle t = begin(8, 0, true);
    throttle_headers(&t, S, &(struct ratelimit){10, 4, 30, -1}, 2);
    throttle_started(&t, S);
    CHECK(throttle_next(&t, S) <= S, "one is left");
    throttle_started(&t, S);
    CHECK(throttle_next(&t, S) == 31 * S, "none until the reset");
    CHECK(throttle_next(&t, 31 * S) <= 31 * S, "then at once");
    throttle_headers(&t, 40 * S, &(struct ratelimit){10, 0, 61, -1}, 0);
    CHECK(throttle_next(&t, 40 * S) <= 40 * S, "beyond max_wait: the answer will tell");
    throttle_headers(&t, 40 * S, &(struct ratelimit){10, 0, -1, -1}, 0);
    CHECK(throttle_next(&t, 40 * S) <= 40 * S, "no reset");
}

/* Refused for ever, then never again: it must not take for ever to get going. */
static void comes_back(void) {
    struct throttle t = begin(8, 0, true);
    int64_t now = S;
    for (int i = 0; i < 200; i++, now += 20 * MS) {
        int64_t next = throttle_next(&t, now);
        now = next > now ? next : now;
        throttle_started(&t, now);
        end(&t, now + 20 * MS, i ? THROTTLE_REFUSED : THROTTLE_OK, -1);
    }
    int64_t from = now;
    for (int i = 0; i < 400; i++, now += 20 * MS) {
        int64_t next = throttle_next(&t, now);
        now = next > now ? next : now;
        throttle_started(&t, now);
        end(&t, now + 20 * MS, THROTTLE_OK, -1);
    }
    CHECK(now - from < 120 * S, "400 calls took %g s", (double)(now - from) / 1e9);
}

/* Each fifth call refused until slowing down proves vain, then every call, then none: a truce is over where nothing is let in. */
static void truce_ends(void) {
    struct throttle t = begin(8, 0, true);
    int64_t now = S;
    for (int i = 1; i < 4000 && t.bucket.truce == 0; i++, now += 20 * MS) {
        throttle_started(&t, now);
        end(&t, now + 20 * MS, i % 5 ? THROTTLE_OK : THROTTLE_REFUSED, -1);
        int64_t next = throttle_next(&t, now + 20 * MS);
        now = next > now ? next : now;
    }
    CHECK(t.bucket.truce > 0, "slowing down was never found to be in vain");
    for (int i = 0; i < 10; i++, now += S) {
        throttle_started(&t, now);
        end(&t, now + 20 * MS, THROTTLE_REFUSED, -1);
    }
    throttle_started(&t, now);
    end(&t, now + 20 * MS, THROTTLE_OK, -1);
    CHECK(t.bucket.truce == 0, "the truce goes on");
}

/* Time in which nobody asks says nothing: two refusals an hour apart do not make a rate of an hour. */
static void idle(void) {
    struct throttle t = begin(8, 0, true);
    int64_t now = S;
    for (int i = 0; i < 30; i++) {
        if (i == 15) {
            now += 3600 * S;
            throttle_wanted(&t, now);
        }
        throttle_started(&t, now);
        end(&t, now + 20 * MS, i % 15 == 6 ? THROTTLE_REFUSED : THROTTLE_OK, -1);
        now += 40 * MS;
    }
    CHECK(throttle_rate(&t) > 4, "rate %g", throttle_rate(&t));
}

/* Twelve calls are let in, then none: one call asks, after a second, eleven, a minute, and each minute. */
static void shuts(void) {
    static const double pauses[] = {0, 1, 11, 60};
    struct throttle t = begin(8, 0, true);
    for (int i = 0; i < 12; i++)
        throttle_started(&t, S), end(&t, S + 20 * MS, THROTTLE_OK, -1);
    int64_t now = 2 * S, shut = now + 20 * MS;
    for (int i = 0; i < 8; i++) {
        throttle_started(&t, now);
        end(&t, now + 20 * MS, THROTTLE_REFUSED, -1);
        int64_t next = throttle_next(&t, now + 20 * MS);
        double pause = i < 4 ? pauses[i] + 1e-9 * (double)(shut - now - 20 * MS) : 60;
        CHECK(throttle_limit(&t) == (i ? 1 : 6), "refusal %d: limit %d", i, throttle_limit(&t));
        CHECK(i == 0 || fabs(1e-9 * (double)(next - now - 20 * MS) - pause) < 1e-6, "refusal %d: waits %g s", i,
              1e-9 * (double)(next - now));
        now = next > now ? next + 1 : now + S;
    }
    end(&t, now + 20 * MS, THROTTLE_OK, -1);
    CHECK(throttle_limit(&t) > 1, "limit %d where something was let in", throttle_limit(&t));
    CHECK(fabs(throttle_rate(&t) - fmax(0.1, 0.97 * 12 / ((double)(now - S) / 1e9))) < 0.02, "rate %g",
          throttle_rate(&t));
}

/* One stray refusal before anything was let in, then room: the rate that is left of it stays a number. */
static void stays_finite(void) {
    struct throttle t = begin(8, 0, true);
    int64_t now = S;
    for (int i = 0; i < 9000; i++, now += 2 * MS) {
        throttle_started(&t, now);
        end(&t, now + 20 * MS, i ? THROTTLE_OK : THROTTLE_REFUSED, -1);
    }
    CHECK(throttle_rate(&t) <= 1e4, "rate %g", throttle_rate(&t));
}

/* Whatever comes: the limit is in its range, the rate a number, and no wait is longer than what was asked for, and a
 * call's own turn. */
static void anything(uint64_t seed) {
    int top = 1 + (int)check_below(&seed, 70);
    struct throttle t = begin(top, 0, true);
    int64_t now = S, held = 0;
    for (int i = 0; i < 500; i++) {
        now += (int64_t)check_below(&seed, 1 + check_below(&seed, 2 * S));
        throttle_started(&t, now);
        struct throttle_event e = {.now = now,
                                   .started = now - (int64_t)check_below(&seed, S),
                                   .latency = (int64_t)check_below(&seed, S),
                                   .kind = (enum throttle_kind)check_below(&seed, 4),
                                   .retry_after = check_below(&seed, 20) ? -1 : (double)check_below(&seed, 100),
                                   .in_flight = 1 + (int)check_below(&seed, (uint64_t)top)};
        throttle_ended(&t, &e);
        struct ratelimit r = {(int64_t)check_below(&seed, 9) - 1, (int64_t)check_below(&seed, 9) - 1,
                              (double)check_below(&seed, 99) - 1, -1};
        if (check_below(&seed, 10) == 0)
            throttle_headers(&t, now, &r, e.in_flight - 1);
        held = held > now + 100 * S ? held : now + 100 * S;
        int limit = throttle_limit(&t);
        int64_t next = throttle_next(&t, now);
        CHECK(limit >= 1 && limit <= top, "limit %d of %d", limit, top);
        CHECK(isfinite(throttle_rate(&t)) && throttle_rate(&t) >= 0, "rate %g", throttle_rate(&t));
        double debt = fmax(0, 1 - t.bucket.tokens); /* this test starts calls before their turn */
        CHECK(next <= held + (int64_t)(debt * 11e9), "waits %g s", (double)(next - now) / 1e9);
    }
}

#define TABLE(t) t, sizeof t / sizeof *t

int main(int argc, char **argv) {
    if (argc > 1) {
        int seeds = atoi(argv[1]);
        printf("%-35s %-9s %6s %6s %8s %6s %6s %6s %7s\n", "", "policy", "time", "worst", "refused", "line", "limit",
               "least", "rate");
        print_table(TABLE(room), seeds);
        print_table(TABLE(line), seeds);
        print_table(TABLE(bucket), seeds);
        print_table(TABLE(window), seeds);
        print_table(TABLE(stray), seeds);
        print_table(TABLE(at_once), seeds);
        print_table(TABLE(faults), seeds);
        return 0;
    }
    fixed_limits();
    ceilings();
    quota();
    comes_back();
    stays_finite();
    truce_ends();
    shuts();
    idle();
    for (uint64_t seed = 1; seed <= 2000; seed++)
        anything(seed);
    tiny(50);
    check_table(TABLE(room), 100);
    check_table(TABLE(line), 20);
    check_table(TABLE(bucket), 40);
    check_table(TABLE(window), 40);
    check_table(TABLE(stray), 40);
    check_table(TABLE(at_once), 40);
    check_table(TABLE(faults), 50);
    puts("throttle: ok");
    return 0;
}
