/* A simulated service with a rate limit, workers, or faults, and greedy clients that ask it, governed by a policy: what
 * spec/http/throttle.c tries. */
#ifndef CALIRA_SPEC_SERVICE_H
#define CALIRA_SPEC_SERVICE_H

#include <math.h>
#include <string.h>

#include "http/retry.h"
#include "http/throttle.h"
#include "spec/support/check.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define NEVER INT64_MAX

enum { CLIENTS = 4, CALLS = 2000, AHEAD = 160, WORKERS = 8 };
enum policy { FIXED, OURS, VEGAS, GRADIENT, POLICIES };
static const char *const policy_names[] = {"fixed", "throttle", "vegas", "gradient"};

/* What is left out is 200 calls of one client that may have 8 in flight, and 20 ms each. */
struct scenario {
    const char *name;
    double time_most, refused_most, line_most; /* what is allowed: times the ideal, share of calls, calls */
    int calls, clients, max_in_flight;
    bool first_alone;       /* as a list: the first page tells how many there are */
    double net;             /* ms, there and back */
    double service;         /* ms of work, before jitter */
    double jitter, below;   /* up to so much more, so much less, as shares */
    double spikes;          /* share of calls ... */
    double spike;           /* ... that take so many times as long */
    double records, record; /* share of calls that are another kind ... and how long they take, in ms */
    int workers;            /* 0: any number */
    double rate, burst;     /* token bucket; 0: none */
    bool retry_after;
    double window; /* s: rate is calls a window then, no bucket */
    bool overload; /* its refusals are 503 */
    int at_once;   /* calls that are let in at once; 0: any number */
    double says;   /* s: Retry-After, whatever the time until the window ends; 0: as it is */
    bool anywhere; /* the first call comes anywhere in a window, not at its beginning */
    bool headers;
    int every;        /* each so many-th call is refused, whatever the pace */
    double refusals;  /* this share of the calls is */
    double change;    /* s: after which ... */
    int workers_then; /* ... these are there */
    double service_then;
    double fault_from, fault_to, faults; /* between these times (s) this share of calls fails with 503 */
};

struct result {
    double time;                  /* s */
    double refused, sent, failed; /* calls */
    double line;                  /* average number in the service's line */
    double limit, limit_least, rate;
};

/* ---- the simulation ---- */

enum state { WANTED, RESTING, FLYING_OUT, FLYING_BACK, OVER };

struct attempt {
    enum state state;
    int64_t at; /* of the next thing that happens to it */
    int64_t started;
    int in_flight, retries;
    bool inside, last;
    enum throttle_kind kind;
    double retry_after;
    struct ratelimit told;
};

struct client {
    struct throttle throttle;
    struct attempt calls[CALLS];
    int from, wanted, in_flight; /* first that is not over; how many the caller wants now */
    int64_t paused;              /* as without the policy: 429 and 503 hold all calls */
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
    int inside; /* calls let in that are not answered yet */
    int64_t filled, phase;
    int64_t worker_free[WORKERS];
    struct client clients[CLIENTS];
    struct result result;
} sim;

static double dice(void) {
    return (double)(check_random(&sim.seed) >> 11) * 0x1p-53;
}

static int64_t work(void) {
    const struct scenario *s = sim.s;
    double ms =
        s->change > 0 && (double)sim.now > s->change * 1e9 && s->service_then > 0 ? s->service_then : s->service;
    if (s->records > 0 && dice() < s->records)
        ms = s->record;
    ms *= 1 - s->below + dice() * (s->jitter + s->below);
    if (s->spikes > 0 && dice() < s->spikes)
        ms *= s->spike;
    return (int64_t)(ms * 1e6);
}

static bool let_in(struct attempt *a) {
    const struct scenario *s = sim.s;
    if (s->every > 0 && (int)sim.result.sent % s->every == 0)
        return false;
    if (s->refusals > 0 && dice() < s->refusals)
        return false;
    if (s->at_once > 0 && sim.inside >= s->at_once)
        return false;
    if (s->rate <= 0)
        return true;
    if (s->window > 0) {
        int64_t w = (int64_t)(s->window * 1e9);
        if ((sim.now + sim.phase) / w != (sim.filled + sim.phase) / w)
            sim.tokens = s->rate;
        sim.filled = sim.now;
    } else {
        sim.tokens = fmin(s->burst, sim.tokens + (double)(sim.now - sim.filled) / 1e9 * s->rate);
        sim.filled = sim.now;
    }
    bool in = sim.tokens >= 1;
    if (in)
        sim.tokens -= 1;
    double wait = s->window > 0 ? s->window - fmod((double)(sim.now + sim.phase) / 1e9, s->window)
                                : fmax(0, (1 - sim.tokens) / s->rate);
    if (s->headers) {
        a->told = (struct ratelimit){(int64_t)s->rate, (int64_t)sim.tokens, ceil(wait), s->window > 0 ? s->window : -1};
    }
    if (!in && s->retry_after)
        a->retry_after = s->says > 0 ? s->says : ceil(wait);
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
        a->kind = s->overload ? THROTTLE_OVERLOADED : THROTTLE_REFUSED;
        a->at = sim.now + back + MS / 2;
        if (s->net == 0) /* the limiter stands behind the delay */
            a->at = sim.now + work();
        return;
    }
    a->kind = THROTTLE_OK;
    sim.inside++;
    a->inside = true;
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

static int limit_of(const struct client *c) {
    if (sim.policy == FIXED)
        return sim.s->max_in_flight;
    return sim.policy == OURS ? throttle_limit(&c->throttle) : (int)c->limit;
}

static void finish(struct client *c, struct attempt *a) {
    struct throttle_event e = {.now = sim.now,
                               .started = a->started,
                               .latency = sim.now - a->started,
                               .kind = a->kind,
                               .retry_after = a->retry_after,
                               .in_flight = a->in_flight};
    c->in_flight--;
    sim.inside -= a->inside;
    a->inside = false;
    throttle_ended(&c->throttle, &e);
    throttle_headers(&c->throttle, sim.now, &a->told, c->in_flight);
    other_policy(c, &e);
    sim.result.limit_least = fmin(sim.result.limit_least, limit_of(c));
    c->wanted = sim.s->calls;
    if (a->kind == THROTTLE_OK) {
        a->state = OVER;
        while (c->from < sim.s->calls && c->calls[c->from].state == OVER)
            c->from++;
        return;
    }
    if (a->kind == THROTTLE_REFUSED || sim.s->overload)
        sim.result.refused++;
    struct retry_policy p = {4, 0.5, 30, 60};
    struct retry_case now = {true, a->retries, a->retry_after, dice()};
    double delay = retry_delay(&p, &now);
    if (delay < 0) { /* given up: here it starts over, so that the work is the same */
        a->retries = 0;
        sim.result.failed++;
        delay = 0;
    } else
        a->retries++;
    a->state = RESTING;
    a->at = sim.now + (int64_t)(delay * 1e9);
    a->last = sim.policy == OURS && a->kind == THROTTLE_REFUSED && a->retries == p.retries;
    if ((sim.policy == FIXED || a->kind == THROTTLE_OVERLOADED) && a->at > c->paused)
        c->paused = a->at + 1;
}

/* Whether another call that may go has failed less often. */
static bool failed_less(const struct client *c, const struct attempt *than) {
    for (int i = c->from; i < c->wanted && i < c->from + AHEAD; i++) {
        const struct attempt *a = &c->calls[i];
        if ((a->state == WANTED || (a->state == RESTING && a->at <= sim.now)) && a->retries < than->retries)
            return true;
    }
    return false;
}

static void start_calls(struct client *c) {
    c->gate = NEVER;
    for (int i = c->from; i < c->wanted && i < c->from + AHEAD; i++) {
        struct attempt *a = &c->calls[i];
        if (a->state == RESTING && a->at <= sim.now) {
            a->state = WANTED;
            int64_t turn = sim.now + (int64_t)(throttle_turn(&c->throttle) * 1e9);
            if (a->last && turn > c->paused)
                c->paused = turn;
        }
        if (a->state == WANTED && sim.policy == OURS && bucket_shut(&c->throttle.bucket) && failed_less(c, a))
            continue;
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

static struct scenario with_defaults(const struct scenario *given) {
    struct scenario s = *given;
    s.calls = s.calls ? s.calls : 200;
    s.clients = s.clients ? s.clients : 1;
    s.max_in_flight = s.max_in_flight ? s.max_in_flight : 8;
    s.service = s.service > 0 ? s.service : 20;
    return s;
}

/* The earliest thing that happens next to a call of c; NEVER: nothing. A rested call waits for the gate. */
static int64_t next_event(const struct client *c) {
    int64_t next = c->gate;
    for (int i = c->from; i < c->wanted && i < c->from + AHEAD; i++) {
        const struct attempt *a = &c->calls[i];
        bool due = a->state == FLYING_OUT || a->state == FLYING_BACK || (a->state == RESTING && a->at > sim.now);
        if (due && a->at < next)
            next = a->at;
    }
    return next;
}

/* Lets happen to c's calls what is due. */
static void turn(struct client *c) {
    for (int i = c->from; i < c->wanted && i < c->from + AHEAD; i++) {
        struct attempt *a = &c->calls[i];
        if (a->state == FLYING_OUT && a->at <= sim.now)
            arrive(a);
        if (a->state == FLYING_BACK && a->at <= sim.now)
            finish(c, a);
    }
    start_calls(c);
}

/* fixed: another max_in_flight, or 0. */
static struct result simulate(const struct scenario *s, enum policy policy, int fixed, uint64_t seed) {
    struct scenario mine = with_defaults(s);
    struct throttle_config config = {fixed ? fixed : mine.max_in_flight, 0, 60, policy != FIXED, false, 0.5};
    mine.max_in_flight = config.max_in_flight;
    memset(&sim, 0, sizeof sim);
    sim.s = &mine;
    sim.policy = policy;
    sim.seed = seed;
    sim.tokens = s->window > 0 ? s->rate : s->burst;
    if (s->anywhere)
        sim.phase = (int64_t)(dice() * s->window * 1e9);
    sim.result.limit_least = config.max_in_flight;
    for (int i = 0; i < mine.clients; i++) {
        struct client *c = &sim.clients[i];
        throttle_init(&c->throttle, &config);
        c->limit = config.max_in_flight;
        c->wanted = s->first_alone ? 1 : mine.calls;
        start_calls(c);
    }
    for (;;) {
        int64_t next = NEVER;
        for (int i = 0; i < mine.clients; i++) {
            int64_t at = next_event(&sim.clients[i]);
            next = at < next ? at : next;
        }
        if (next == NEVER)
            break;
        sim.now = next > sim.now ? next : sim.now;
        for (int i = 0; i < mine.clients; i++)
            turn(&sim.clients[i]);
    }
    for (int i = 0; i < mine.clients; i++)
        CHECK(sim.clients[i].from == mine.calls, "%s: stuck at %g s", s->name, (double)sim.now / 1e9);
    sim.result.time = (double)sim.now / 1e9;
    sim.result.line /= sim.result.time;
    sim.result.limit = policy < VEGAS ? throttle_limit(&sim.clients[0].throttle) : sim.clients[0].limit;
    sim.result.rate = throttle_rate(&sim.clients[0].throttle);
    return sim.result;
}

#endif
