/* A simulated service and greedy clients that the policy governs, over many seeds. */
#include "http/throttle.h"

#include <math.h>
#include <string.h>

#include "http/retry.h"
#include "spec/support/check.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define NEVER INT64_MAX

enum { CLIENTS = 4, CALLS = 3000, FLYING = 64, WORKERS = 8 };
enum policy { FIXED, OURS, VEGAS, GRADIENT };
static const char *const policy_names[] = {"fixed", "throttle", "vegas", "gradient"};

struct scenario {
    const char *name;
    int calls, clients, max_in_flight;
    bool first_alone;     /* as a list: the first page tells how many there are */
    double net;           /* ms, there and back */
    double service;       /* ms of work, before jitter */
    double jitter, below; /* up to so much more, so much less, as shares */
    double spikes;        /* share of calls ... */
    double spike;         /* ... that take so many times as long */
    double records, record; /* share of calls that are another kind ... and how long they take, in ms */
    int workers;          /* 0: any number */
    double rate, burst;   /* token bucket; 0: none */
    bool retry_after;
    double window;        /* s: rate is calls a window then, no bucket */
    bool headers;
    double change;        /* s: after which ... */
    int workers_then;     /* ... these are there */
    double service_then;
    double fault_from, fault_to, faults; /* between these times (s) this share of calls fails with 503 */
};

struct result {
    double time;   /* s */
    double refused, sent; /* calls */
    double line;   /* average number in the service's line */
    double given_up;
    int limit_end, limit_least;
    double rate_end;
};

/* ---- the simulation ---- */

enum state { WANTED, RESTING, FLYING_OUT, FLYING_BACK, OVER };

struct attempt {
    enum state state;
    int64_t at; /* of the next thing that happens to it */
    int64_t started;
    int in_flight, retries;
    enum throttle_kind kind;
    double retry_after;
    struct ratelimit told;
};

struct client {
    struct throttle throttle;
    struct attempt calls[CALLS];
    int from, wanted, in_flight; /* first that is not over; how many the caller wants now */
    int over;
    int64_t paused; /* as without the policy: 429 and 503 hold all calls */
    int64_t gate;
    /* the other policies */
    double limit, min_latency, latency_sum;
    int samples;
    int64_t since;
};

static struct sim {
    const struct scenario *s;
    enum policy policy;
    uint64_t seed;
    int64_t now;
    double tokens;
    int64_t filled;
    int64_t worker_free[WORKERS];
    struct client clients[CLIENTS];
    struct result result;
} sim;

static double dice(void) {
    return (double)(check_random(&sim.seed) >> 11) * 0x1p-53;
}

static int64_t work(void) {
    const struct scenario *s = sim.s;
    double ms = s->change > 0 && sim.now > s->change * 1e9 && s->service_then > 0 ? s->service_then : s->service;
    if (s->records > 0 && dice() < s->records)
        ms = s->record;
    ms *= 1 - s->below + dice() * (s->jitter + s->below);
    if (s->spikes > 0 && dice() < s->spikes)
        ms *= s->spike;
    return (int64_t)(ms * 1e6);
}

static bool let_in(struct attempt *a) {
    const struct scenario *s = sim.s;
    if (s->rate <= 0)
        return true;
    if (s->window > 0) {
        int64_t w = (int64_t)(s->window * 1e9);
        if (sim.now / w != sim.filled / w)
            sim.tokens = s->rate;
        sim.filled = sim.now;
    } else {
        sim.tokens = fmin(s->burst, sim.tokens + (double)(sim.now - sim.filled) / 1e9 * s->rate);
        sim.filled = sim.now;
    }
    bool in = sim.tokens >= 1;
    if (in)
        sim.tokens -= 1;
    double wait = s->window > 0 ? s->window - fmod((double)sim.now / 1e9, s->window) : fmax(0, (1 - sim.tokens) / s->rate);
    if (s->headers) {
        a->told = (struct ratelimit){(int64_t)s->rate, (int64_t)sim.tokens, ceil(wait), s->window > 0 ? s->window : -1};
    }
    if (!in && s->retry_after)
        a->retry_after = ceil(wait);
    return in;
}

static void arrive(struct attempt *a) {
    const struct scenario *s = sim.s;
    double now = (double)sim.now / 1e9;
    int64_t back = (int64_t)(s->net * 0.5e6);
    a->state = FLYING_BACK;
    a->retry_after = -1;
    a->told = (struct ratelimit){-1, -1, -1, -1};
    if (!let_in(a)) {
        a->kind = THROTTLE_REFUSED;
        a->at = sim.now + back + MS / 2;
        if (s->net == 0) /* the limiter stands behind the delay */
            a->at = sim.now + work();
        return;
    }
    a->kind = THROTTLE_OK;
    if (s->faults > 0 && now >= s->fault_from && now < s->fault_to && dice() < s->faults) {
        a->kind = THROTTLE_OVERLOADED;
        a->at = sim.now + back + MS;
        return;
    }
    int64_t begin = sim.now;
    if (s->workers) {
        int count = s->change > 0 && now > s->change && s->workers_then ? s->workers_then : s->workers, best = 0;
        for (int i = 1; i < count; i++)
            if (sim.worker_free[i] < sim.worker_free[best])
                best = i;
        if (sim.worker_free[best] > begin)
            begin = sim.worker_free[best];
        sim.result.line += (double)(begin - sim.now) / 1e9;
        int64_t end = begin + work();
        sim.worker_free[best] = end;
        a->at = end + back;
    } else
        a->at = begin + work() + back;
}

/* The policies that were tried and not taken: Vegas (Brakmo, O'Malley, Peterson 1994; as in Netflix's concurrency-limits
 * VegasLimit), and Gradient (concurrency-limits' GradientLimit): limit * minRTT / RTT + sqrt(limit). Both judge by the
 * smallest latency of a window. */
static void other_policy(struct client *c, const struct throttle_event *e) {
    double latency = (double)e->latency, most = sim.s->max_in_flight;
    if (e->kind == THROTTLE_OVERLOADED) {
        c->limit = fmax(1, c->limit * 0.7);
        return;
    }
    if (e->kind != THROTTLE_OK)
        return;
    if (c->min_latency <= 0 || latency < c->min_latency)
        c->min_latency = latency;
    if (e->started < c->since)
        return;
    c->latency_sum += latency;
    if (++c->samples < (int)c->limit)
        return;
    double mean = c->latency_sum / c->samples, line = c->limit * (1 - c->min_latency / mean);
    if (sim.policy == VEGAS)
        c->limit += line < 1 ? 1 : line > 1.5 ? -1 : 0;
    else
        c->limit = 0.5 * c->limit + 0.5 * (c->limit * fmax(0.5, fmin(1, c->min_latency / mean)) + sqrt(c->limit));
    c->limit = fmin(most, fmax(1, c->limit));
    c->samples = 0;
    c->latency_sum = 0;
    c->since = sim.now;
    c->min_latency *= 1.002;
}

static void finish(struct client *c, struct attempt *a) {
    struct throttle_event e = {.now = sim.now, .started = a->started, .latency = sim.now - a->started, .kind = a->kind,
        .retry_after = a->retry_after, .in_flight = a->in_flight};
    c->in_flight--;
    throttle_ended(&c->throttle, &e);
    throttle_headers(&c->throttle, sim.now, &a->told, c->in_flight);
    other_policy(c, &e);
    if (throttle_limit(&c->throttle) < sim.result.limit_least)
        sim.result.limit_least = throttle_limit(&c->throttle);
    c->wanted = sim.s->calls;
    if (a->kind == THROTTLE_OK) {
        a->state = OVER;
        c->over++;
        while (c->from < sim.s->calls && c->calls[c->from].state == OVER)
            c->from++;
        return;
    }
    if (a->kind == THROTTLE_REFUSED)
        sim.result.refused++;
    struct retry_policy p = {4, 0.5, 30, 60};
    struct retry_case now = {true, a->retries, a->retry_after, dice()};
    double delay = retry_delay(&p, &now);
    if (delay < 0) { /* given up: here it starts over, so that the work is the same */
        sim.result.given_up++;
        a->retries = 0;
        delay = 0;
    } else
        a->retries++;
    a->state = RESTING;
    a->at = sim.now + (int64_t)(delay * 1e9);
    if ((sim.policy == FIXED || a->kind == THROTTLE_OVERLOADED) && a->at > c->paused)
        c->paused = a->at + 1;
}

static int limit_of(const struct client *c) {
    if (sim.policy == FIXED)
        return sim.s->max_in_flight;
    return sim.policy == OURS ? throttle_limit(&c->throttle) : (int)c->limit;
}

static void start_calls(struct client *c) {
    c->gate = NEVER;
    for (int i = c->from; i < c->wanted && i < c->from + FLYING + 100; i++) {
        struct attempt *a = &c->calls[i];
        if (a->state == RESTING && a->at <= sim.now)
            a->state = WANTED;
        if (a->state != WANTED || c->in_flight >= limit_of(c))
            continue;
        int64_t when = throttle_next(&c->throttle, sim.now);
        if (c->paused > when)
            when = c->paused;
        if (when > sim.now) {
            c->gate = when;
            return;
        }
        throttle_started(&c->throttle, sim.now);
        a->state = FLYING_OUT;
        a->started = sim.now;
        a->in_flight = ++c->in_flight;
        a->at = sim.now + (int64_t)(sim.s->net * 0.5e6);
        sim.result.sent++;
    }
}

static struct result simulate(const struct scenario *s, enum policy policy, int fixed, uint64_t seed) {
    struct throttle_config config = {fixed ? fixed : s->max_in_flight, 0, 60, policy != FIXED};
    struct scenario mine = *s;
    mine.max_in_flight = config.max_in_flight;
    memset(&sim, 0, sizeof sim);
    sim.s = &mine;
    sim.policy = policy;
    sim.seed = seed;
    sim.tokens = s->window > 0 ? s->rate : s->burst;
    sim.result.limit_least = config.max_in_flight;
    for (int i = 0; i < s->clients; i++) {
        struct client *c = &sim.clients[i];
        throttle_init(&c->throttle, &config);
        c->limit = config.max_in_flight;
        c->wanted = s->first_alone ? 1 : s->calls;
        start_calls(c);
    }
    for (int over = 0; over < s->clients;) {
        int64_t next = NEVER;
        for (int i = 0; i < s->clients; i++) {
            struct client *c = &sim.clients[i];
            if (c->gate < next)
                next = c->gate;
            for (int j = c->from; j < c->wanted && j < c->from + FLYING + 100; j++)
                if (c->calls[j].state != WANTED && c->calls[j].state != OVER && c->calls[j].at < next &&
                    (c->calls[j].state != RESTING || c->calls[j].at > sim.now))
                    next = c->calls[j].at;
        }
        CHECK(next != NEVER, "%s: stuck", s->name);
        if (next > sim.now)
            sim.now = next;
        for (int i = 0; i < s->clients; i++) {
            struct client *c = &sim.clients[i];
            bool done = c->over == s->calls;
            for (int j = c->from; j < c->wanted && j < c->from + FLYING + 100; j++) {
                struct attempt *a = &c->calls[j];
                if (a->state == FLYING_OUT && a->at <= sim.now)
                    arrive(a);
                if (a->state == FLYING_BACK && a->at <= sim.now)
                    finish(c, a);
            }
            start_calls(c);
            if (!done && c->over == s->calls)
                over++;
        }
    }
    sim.result.time = (double)sim.now / 1e9;
    sim.result.line /= sim.result.time;
    sim.result.limit_end = throttle_limit(&sim.clients[0].throttle);
    sim.result.rate_end = throttle_rate(&sim.clients[0].throttle);
    return sim.result;
}

/* ---- what is tried ---- */

#define ROOM .calls = 200, .clients = 1, .max_in_flight = 8, .service = 20
#define BUCKET .calls = 202, .clients = 1, .max_in_flight = 8, .service = 20, .rate = 20, .burst = 10
#define LINE .calls = 202, .clients = 1, .max_in_flight = 8, .service = 50

static const struct scenario room[] = {
    {"room", ROOM},
    {"room, a list", ROOM, .first_alone = true},
    {"room, jitter 25 %", ROOM, .jitter = 0.25},
    {"room, jitter 50 %", ROOM, .jitter = 0.5},
    {"room, jitter 50 % both ways", ROOM, .jitter = 0.5, .below = 0.5},
    {"room, jitter 50 %, a list", ROOM, .jitter = 0.5, .first_alone = true},
    {"room, spikes", ROOM, .jitter = 0.25, .spikes = 0.02, .spike = 8},
    {"room, lists and records", ROOM, .jitter = 0.25, .records = 0.7, .record = 6},
    {"room, slower from 0.3 s", ROOM, .jitter = 0.25, .change = 0.3, .service_then = 60},
    {"room, 2000 calls", ROOM, .calls = 2000, .jitter = 0.5},
    {"room, 2000 both ways", ROOM, .calls = 2000, .jitter = 0.5, .below = 0.5},
    {"room, 64 in flight", ROOM, .calls = 2000, .max_in_flight = 64, .jitter = 0.5},
    {"room, 2 in flight", ROOM, .calls = 200, .max_in_flight = 2, .jitter = 0.5},
};

static const struct scenario bucket[] = {
    {"bucket 20/s of 10, Retry-After", BUCKET, .retry_after = true},
    {"bucket 20/s of 10, nothing", BUCKET},
    {"the same, a list, Retry-After", BUCKET, .first_alone = true, .retry_after = true},
    {"the same, a list, nothing", BUCKET, .first_alone = true},
    {"the same, jitter 50 %, Retry-After", BUCKET, .jitter = 0.5, .retry_after = true},
    {"the same, jitter 50 %, nothing", BUCKET, .jitter = 0.5},
    {"the same, 2 ms, Retry-After", BUCKET, .service = 2, .jitter = 0.5, .retry_after = true},
    {"the same, 2 ms, nothing", BUCKET, .service = 2, .jitter = 0.5},
    {"the same, 100 ms, Retry-After", BUCKET, .service = 100, .jitter = 0.25, .retry_after = true},
    {"the same, 100 ms, nothing", BUCKET, .service = 100, .jitter = 0.25},
    {"the same, 2 clients, Retry-After", BUCKET, .jitter = 0.25, .clients = 2, .retry_after = true},
    {"the same, 2 clients, nothing", BUCKET, .jitter = 0.25, .clients = 2},
    {"the same, 4 clients, Retry-After", BUCKET, .jitter = 0.25, .clients = 4, .retry_after = true},
    {"the same, 4 clients, nothing", BUCKET, .jitter = 0.25, .clients = 4},
    {"the same, 2000 calls, Retry-After", BUCKET, .calls = 2000, .retry_after = true},
    {"the same, 2000 calls, nothing", BUCKET, .calls = 2000},
    {"bucket 2/s of 5, Retry-After", BUCKET, .rate = 2, .burst = 5, .retry_after = true},
    {"bucket 2/s of 5, nothing", BUCKET, .rate = 2, .burst = 5},
    {"bucket 5/s of 10, Retry-After", BUCKET, .rate = 5, .burst = 10, .retry_after = true},
    {"bucket 5/s of 10, nothing", BUCKET, .rate = 5, .burst = 10},
    {"bucket 5/s of 1, Retry-After", BUCKET, .rate = 5, .burst = 1, .retry_after = true},
    {"bucket 50/s of 20, Retry-After", BUCKET, .calls = 1000, .rate = 50, .burst = 20, .retry_after = true},
    {"bucket 50/s of 20, nothing", BUCKET, .calls = 1000, .rate = 50, .burst = 20},
    {"bucket 20/s of 100, Retry-After", BUCKET, .calls = 1000, .rate = 20, .burst = 100, .retry_after = true},
    {"bucket 200/s of 50, Retry-After", BUCKET, .calls = 2000, .rate = 200, .burst = 50, .retry_after = true},
    {"bucket 200/s of 50, nothing", BUCKET, .calls = 2000, .rate = 200, .burst = 50},
    {"bucket 20/s of 10, headers", BUCKET, .headers = true},
    {"100 each 5 s, Retry-After", BUCKET, .calls = 1000, .rate = 100, .window = 5, .retry_after = true},
    {"100 each 5 s, headers", BUCKET, .calls = 1000, .rate = 100, .window = 5, .headers = true},
};

static const struct scenario line[] = {
    {"1 worker of 50 ms", LINE, .workers = 1},
    {"2 workers", LINE, .workers = 2},
    {"3 workers", LINE, .workers = 3},
    {"4 workers", LINE, .workers = 4},
    {"6 workers", LINE, .workers = 6},
    {"2 workers, a list", LINE, .workers = 2, .first_alone = true},
    {"2 workers, jitter 25 %", LINE, .workers = 2, .jitter = 0.25},
    {"4 workers, jitter 50 %", LINE, .workers = 4, .jitter = 0.5},
    {"6 workers, jitter 25 %", LINE, .workers = 6, .jitter = 0.25},
    {"2 workers, 20 ms away", LINE, .workers = 2, .net = 20},
    {"2 workers, then 6", LINE, .calls = 400, .workers = 2, .change = 3, .workers_then = 6},
    {"6 workers, then 2", LINE, .calls = 400, .workers = 6, .change = 1.5, .workers_then = 2},
    {"2 workers, lists and records", LINE, .workers = 2, .jitter = 0.25, .records = 0.7, .record = 15},
};

static const struct scenario faults[] = {
    {"503 of all for 1 s", ROOM, .calls = 1000, .fault_from = 0.5, .fault_to = 1.5, .faults = 1},
    {"503 of half for 1 s", ROOM, .calls = 1000, .fault_from = 0.5, .fault_to = 1.5, .faults = 0.5},
    {"503 of 1 %", ROOM, .calls = 1000, .fault_to = 100, .faults = 0.01},
};

static double ideal(const struct scenario *s, int seed) {
    if (s->window > 0)
        return (ceil(s->calls * s->clients / s->rate) - 1) * s->window + s->service / 1e3;
    if (s->rate > 0)
        return (s->calls * s->clients - s->burst) / s->rate + s->service / 1e3;
    double best = INFINITY;
    int to = s->workers ? s->max_in_flight : 0;
    for (int fixed = to ? 1 : 0; fixed <= to; fixed++)
        best = fmin(best, simulate(s, FIXED, fixed, (uint64_t)seed).time);
    return best;
}

static void replay(const struct scenario *table, size_t size, int seeds, int policies) {
    for (size_t i = 0; i < size; i++)
        for (enum policy policy = FIXED; policy < policies; policy++) {
            double ratio = 0, worst = 0, refused = 0, sent = 0, standing = 0, given_up = 0, limit = 0, rate = 0, low = 0, wrefused = 0;
            for (int seed = 1; seed <= seeds; seed++) {
                double reference = ideal(&table[i], seed);
                struct result r = simulate(&table[i], policy, 0, (uint64_t)seed);
                ratio += r.time / reference;
                worst = fmax(worst, r.time / reference);
                refused += r.refused;
                wrefused = fmax(wrefused, r.refused / r.sent);
                sent += r.sent;
                standing += r.line;
                given_up += r.given_up;
                limit += r.limit_end;
                low += r.limit_least;
                rate += r.rate_end;
            }
            printf("%-10s %-36s %6.3f %6.3f | %5.1f %% %5.1f %% | %5.2f | limit %4.1f (%.1f) rate %5.1f  up %.2f\n", policy_names[policy], table[i].name,
                   ratio / seeds, worst, 100 * refused / sent, 100*wrefused, standing / seeds, limit / seeds, low / seeds, rate / seeds, given_up / seeds);
        }
}

static void tiny(int seeds) {
    for (int jitter = 0; jitter < 3; jitter++) {
        double all = 0;
        printf("tiny, jitter %d:", jitter);
        for (int calls = 8; calls <= 40; calls++) {
            struct scenario s = {"tiny", .calls = calls, .clients = 1, .max_in_flight = 8, .service = 20, .jitter = jitter ? 0.5 : 0, .below = jitter == 2 ? .5 : 0};
            double sum = 0;
            for (int seed = 1; seed <= seeds; seed++)
                sum += simulate(&s, OURS, 0, (uint64_t)seed).time / simulate(&s, FIXED, 0, (uint64_t)seed).time;
            printf(" %d:%.2f", calls, sum / seeds);
            if (calls <= 20)
                all += sum / seeds / 13;
        }
        printf(" mean of 8..20 %.3f\n", all);
    }
}

#define TABLE(t) t, sizeof t / sizeof *t

int main(int argc, char **argv) {
    int seeds = argc > 1 ? atoi(argv[1]) : 20;
    int policies = argc > 2 ? atoi(argv[2]) : 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    tiny(seeds);
    replay(TABLE(room), seeds, policies);
    replay(TABLE(line), seeds, policies);
    replay(TABLE(bucket), seeds, policies < 3 ? policies : 2);
    fflush(stdout);
    replay(TABLE(faults), seeds, policies);
    puts("throttle: ok");
    return 0;
}
