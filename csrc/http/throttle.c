#include "http/throttle.h"

#include <string.h>

static const double SECOND = 1e9;

static double least(double a, double b) {
    return a < b ? a : b;
}

static double most(double a, double b) {
    return a > b ? a : b;
}

static int clamp(double value, int low, int high) {
    return value <= low ? low : value >= high ? high : (int)(value + 0.5);
}

void throttle_init(struct throttle *t, const struct throttle_config *config) {
    *t = (struct throttle){.config = *config, .limit = config->max_in_flight, .patience = 64};
    t->since = t->cut = t->opened = t->to = INT64_MIN;
}

int throttle_limit(const struct throttle *t) {
    return t->limit;
}

double throttle_rate(const struct throttle *t) {
    return t->rate;
}

/* ---- calls a second ---- */
#ifndef FIRST_GROWTH
#define FIRST_GROWTH 0.04
#define LATER_GROWTH 0.03
#define LATER_CALLS 1000.0
#define MARGIN 0.97
#define LEAST_SPAN 0.5
#endif

static void fill(struct throttle *t, int64_t now) {
    t->tokens = least(t->burst, t->tokens + (double)(now - t->filled) / SECOND * t->rate);
    t->filled = now;
}

static void learn_rate(struct throttle *t) {
    double span = (double)(t->to - t->from) / SECOND;
    double rate, hold = t->held > t->to ? (double)(t->held - t->to) / SECOND : 0;
    if (t->refusals == 1) {
        t->capacity = t->accepted;
        rate = most(t->accepted, 1) / most(span + hold, LEAST_SPAN);
        t->burst = 2;
    } else {
        double run = most(span - t->pause, 1e-3);
        rate = most(t->accepted / most(span, 1e-3), (t->accepted - t->capacity - 1) / run) * MARGIN;
        rate = t->accepted < 1 ? t->rate_before / 2 : least(rate, t->rate_before);
        t->burst = most(2, least(t->capacity - 1, t->config.max_in_flight));
    }
    t->rate = most(rate, 0.02);
}

static void accepted(struct throttle *t, const struct throttle_event *e) {
    if (e->started <= t->to) { /* the span was closed before it came back */
        t->accepted++;
        learn_rate(t);
        return;
    }
    t->running++;
    double age = (double)(e->now - t->opened) / SECOND;
    if (age > 10) { /* lately is five to ten seconds */
        t->running *= 5 / age;
        t->opened = e->now - (int64_t)(5 * SECOND);
        t->pausing = 0;
    }
    if (t->rate <= 0 || t->tokens >= t->burst - 0.5)
        return;
    if (t->refusals == 1)
        t->rate *= 1 + FIRST_GROWTH;
    else {
        double k = least(t->running / LATER_CALLS, 1);
        t->rate *= 1 + LATER_GROWTH * k * k;
    }
}

static void refused(struct throttle *t, const struct throttle_event *e) {
    if (e->started > t->to) {
        t->rate_before = t->rate;
        t->refusals = t->refusals ? 2 : 1;
        t->from = t->opened;
        t->pause = t->pausing;
        t->waiting = true;
        t->to = t->opened = e->now;
        t->accepted = t->running;
        t->running = 0;
        t->tokens = 0;
        t->filled = e->now;
    }
    learn_rate(t);
}

/* ---- calls in flight ---- */

static void set_limit(struct throttle *t, enum throttle_phase phase, int limit, int64_t now) {
    t->phase = phase;
    t->limit = limit;
    t->since = now;
    t->count = 0;
    t->in_flight = 0;
}

static void take_sample(struct throttle *t, double latency, int in_flight) {
    int i = t->count++;
    for (; i > 0 && t->sample[i - 1] > latency; i--)
        t->sample[i] = t->sample[i - 1];
    t->sample[i] = latency;
    t->in_flight += in_flight;
}

static double middle(const struct throttle *t) {
    int skip = t->count / 4;
    double sum = 0;
    for (int i = skip; i < t->count - skip; i++)
        sum += t->sample[i];
    return sum / (t->count - 2 * skip);
}

static void start_probe(struct throttle *t, double latency, double in_flight, int64_t now) {
    int aim = clamp(in_flight * t->base / latency, 1, t->limit - 1), lowest = (t->limit + 1) / 2;
    t->clipped = aim < lowest;
    t->before = latency;
    t->in_flight_before = in_flight;
    t->limit_before = t->limit;
    set_limit(t, THROTTLE_PROBE, t->clipped ? lowest : aim, now);
}

static void end_probe(struct throttle *t, double latency, int64_t now) {
    double fell = latency / t->before, lowered = (double)t->limit / t->limit_before;
    if (!t->clipped)
        t->base = latency;
    int limit = t->limit_before;
    if (fell > (1 + lowered) / 2) {
        t->base = (latency + t->before) / 2;
        t->rest = t->patience;
        t->patience = t->patience < 512 ? 2 * t->patience : 1024;
    } else {
        t->patience = 64;
        limit = clamp(t->in_flight_before * t->base / t->before + 1, t->limit, t->limit_before);
    }
    set_limit(t, THROTTLE_STEADY, limit, now);
}

static void judge(struct throttle *t, int64_t now) {
    double latency = middle(t), in_flight = t->in_flight / t->count;
    if (t->phase == THROTTLE_PROBE) {
        end_probe(t, latency, now);
        return;
    }
    t->base = least(t->base, latency);
    double line = in_flight * (1 - t->base / latency);
    if (line > 1.5 && t->limit > 1 && t->rest <= 0) {
        start_probe(t, latency, in_flight, now);
        return;
    }
    int limit = t->limit;
    if (line > 1.5) {
    } else if (t->phase == THROTTLE_SECOND)
        limit = t->config.max_in_flight;
    else if (line < 0.75) {
        if (limit < t->config.max_in_flight && in_flight > limit - 1)
            limit++;
    } else if (limit < t->config.max_in_flight)
        t->base *= 1.01;
    set_limit(t, THROTTLE_STEADY, limit, now);
}

static void measured(struct throttle *t, const struct throttle_event *e) {
    double latency = (double)e->latency;
    if (latency <= 0)
        return;
    t->rest--;
    if (t->phase == THROTTLE_START || (t->phase == THROTTLE_SECOND && e->started < t->since)) {
        if (e->in_flight == 1)
            t->alone = latency;
        if (t->first <= 0 || latency < t->first) {
            t->second = t->first;
            t->first = latency;
        } else if (t->second <= 0 || latency < t->second)
            t->second = latency;
        t->base = t->second > 0 ? t->second : t->first;
        if (t->alone > 0)
            t->base = least(t->base, t->alone);
    }
    if (t->phase == THROTTLE_START || e->started < t->since)
        return;
    take_sample(t, latency, e->in_flight);
    int enough = t->phase == THROTTLE_STEADY ? 8 : 4;
    enough = clamp(t->limit, enough, THROTTLE_SAMPLES);
    if (t->count >= enough)
        judge(t, e->now);
}

static void overloaded(struct throttle *t, const struct throttle_event *e) {
    if (e->started < t->cut)
        return;
    t->cut = e->now;
    set_limit(t, THROTTLE_STEADY, clamp(t->limit * 0.7 - 0.5, 1, t->limit), e->now);
}

/* ---- what the queue tells and asks ---- */

int64_t throttle_next(struct throttle *t, int64_t now) {
    int64_t next = t->held > t->fixed_next ? t->held : t->fixed_next;
    if (t->rate > 0) {
        int64_t at = next > now ? next : now;
        fill(t, now);
        double lacking = 1 - 1e-6 - (t->tokens + (double)(at - now) / SECOND * t->rate);
        if (lacking > 0)
            next = at + 1 + (int64_t)(lacking / t->rate * SECOND);
    }
    if (t->left < 1 && t->resets > now && t->resets > next)
        next = t->resets;
    return next;
}

void throttle_started(struct throttle *t, int64_t now) {
    if (t->config.rate > 0)
        t->fixed_next = now + (int64_t)(SECOND / t->config.rate);
    if (!t->config.adaptive)
        return;
    if (t->opened == INT64_MIN)
        t->opened = now;
    if (t->waiting) {
        t->waiting = false;
        t->pausing = (double)(now - t->to) / SECOND;
    }
    if (t->rate > 0) {
        fill(t, now);
        t->tokens--;
    }
    t->left--;
    if (t->phase == THROTTLE_START && ++t->started >= t->config.max_in_flight) {
#ifndef SECOND_SHARE
#define SECOND_SHARE 0.625
#endif
        set_limit(t, THROTTLE_SECOND, clamp(t->limit * SECOND_SHARE, 1, t->limit), now + 1);
    }
}

void throttle_ended(struct throttle *t, const struct throttle_event *e) {
    if (e->retry_after >= 0) {
        int64_t until = e->now + (int64_t)(e->retry_after * SECOND);
        if (until > t->held)
            t->held = until;
    }
    if (!t->config.adaptive)
        return;
    if (e->kind == THROTTLE_REFUSED)
        refused(t, e);
    else if (e->kind == THROTTLE_OVERLOADED)
        overloaded(t, e);
    else
        accepted(t, e);
    if (e->kind == THROTTLE_OK)
        measured(t, e);
}

void throttle_headers(struct throttle *t, int64_t now, const struct ratelimit *r, int in_flight) {
    if (!t->config.adaptive || r->remaining < 0 || r->reset < 0 || r->reset > t->config.max_wait)
        return;
    t->left = (double)(r->remaining - in_flight);
    t->resets = now + (int64_t)(r->reset * SECOND);
}
