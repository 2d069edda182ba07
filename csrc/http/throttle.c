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
#define FIRST_GROWTH 0.06
#define FIRST_BURST 4
#define LATER_GROWTH 0.03
#define LATER_CALLS 1000.0
#define LATER_SECONDS 60.0
#define DECREASE 0.7
#define ENOUGH 8
#define MARGIN 1.0
#define LEAST_SPAN 1.0
#endif

static void fill(struct throttle *t, int64_t now) {
    t->tokens = least(t->burst, t->tokens + (double)(now - t->filled) / SECOND * t->rate);
    t->filled = now;
}

static double seconds(int64_t from, int64_t to) {
    return (double)(to - from) / SECOND;
}

/* n calls that were accepted in a time T came out of a bucket of at most `capacity` and what ran into it: n <= capacity +
 * rate * T. So each end of the span gives a lower bound of the rate, and the best of them is the rate itself where the
 * bucket was full at its begin. */
static double bound_of_rate(const struct throttle *t) {
    double best = 0;
    int kept = t->marks < THROTTLE_MARKS ? t->marks : THROTTLE_MARKS;
    for (int n = (int)t->capacity + 8; n <= kept; n++) {
        double time = seconds(t->mark[(t->marks - n) % THROTTLE_MARKS], t->sent);
        if (time > 0)
            best = most(best, (n - t->capacity + 0.5) / time);
    }
    return best;
}

/* After the first refusal: all that came in so far, over the time so far and the pause. */
static void guess_rate(struct throttle *t) {
    double span = seconds(t->from, t->to), pause = t->held > t->to ? seconds(t->to, t->held) : 0;
    t->capacity = t->first_accepted = t->accepted;
    t->first_span = span;
    t->rate = most(t->accepted, 1) / most(span + pause, LEAST_SPAN);
    t->burst = most(1, least(FIRST_BURST, t->capacity / 2));
}

/* After a later one. */
static void measure_rate(struct throttle *t) {
    double span = most(seconds(t->from, t->to), 1e-3), rate = t->accepted / span;
    if (t->accepted < ENOUGH) {
        t->rate = most(t->rate * DECREASE, 0.02);
        return;
    }
    for (int i = 0; i < 4; i++) { /* what ran into the bucket in the first span was not of its capacity */
        rate = most(rate, bound_of_rate(t));
        t->capacity = least(t->capacity, most(1, t->first_accepted - rate * t->first_span));
    }
    t->known = true;
    t->rate = most(least(t->rate, MARGIN * rate), 0.02);
    t->burst = most(1, least(t->capacity - 1, t->config.max_in_flight));
}

static void accepted(struct throttle *t, const struct throttle_event *e) {
    if (e->started <= t->to) { /* the span was closed before it came back */
        t->accepted++;
        if (t->refusals == 1)
            guess_rate(t);
        return;
    }
    t->running++;
    t->mark[t->marks++ % THROTTLE_MARKS] = e->started;
    if (t->marks == 2 * THROTTLE_MARKS)
        t->marks = THROTTLE_MARKS;
    if (t->refusals == 0 && seconds(t->opened, e->now) > 10) { /* "lately" is five to ten seconds */
        t->running *= 5 / seconds(t->opened, e->now);
        t->opened = e->now - (int64_t)(5 * SECOND);
    }
    if (t->rate <= 0 || t->tokens >= t->burst - 0.5)
        return;
    t->grown++;
    if (!t->known)
        t->rate *= 1 + FIRST_GROWTH;
    else {
        double k = least(most(t->grown / LATER_CALLS, seconds(t->to, e->now) / LATER_SECONDS), 1);
        t->rate *= 1 + LATER_GROWTH * k * k;
    }
}

static void refused(struct throttle *t, const struct throttle_event *e) {
    if (e->started <= t->to) { /* the same overflow; but its Retry-After may be longer */
        if (t->refusals == 1)
            guess_rate(t);
        return;
    }
    t->from = t->opened;
    t->to = e->now;
    t->sent = e->started;
    t->accepted = t->running;
    if (t->refusals++ == 0)
        guess_rate(t);
    else
        measure_rate(t);
    if (t->refusals == 1 || t->accepted >= ENOUGH) { /* a span with few of them goes on */
        t->opened = e->now;
        t->running = 0;
    }
    t->marks = 0;
    t->grown = 0;
    t->tokens = 0;
    t->filled = e->now;
}

/* ---- calls in flight ---- */

static void set_limit(struct throttle *t, enum throttle_phase phase, int limit, int64_t now) {
    t->phase = phase;
    t->limit = limit;
    t->since = now;
    t->count = 0;
    t->peak = 0;
}

static void take_sample(struct throttle *t, double latency, int in_flight) {
    int i = t->count++;
    for (; i > 0 && t->sample[i - 1] > latency; i--)
        t->sample[i] = t->sample[i - 1];
    t->sample[i] = latency;
    t->peak = in_flight > t->peak ? in_flight : t->peak;
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
    double latency = middle(t), in_flight = t->peak;
    if (t->phase == THROTTLE_PROBE) {
        end_probe(t, latency, now);
        return;
    }
    if (t->phase == THROTTLE_SECOND && t->low_count && t->high_count) {
        double low = t->low_sum / t->low_count, high = t->high_sum / t->high_count;
        if (high < 1.35 * low)
            t->base = (low + high) / 2;
    }
    double line = in_flight * (1 - t->base / latency), much = most(1.5, in_flight * 0.19);
    int limit = t->limit, top = t->config.max_in_flight;
    if (line > much) {
        t->suspicion += line > 2 * much ? 2 : 1;
        if (t->suspicion >= 2 && t->limit > 1 && t->rest <= 0) {
            start_probe(t, latency, in_flight, now);
            return;
        }
    } else {
        t->suspicion = 0;
        if (line < much / 2) {
            t->base += (latency - t->base) / 4;
            if (in_flight >= limit)
                limit = limit + 1 + limit / 8;
        } else if (limit < top)
            t->base *= 1.005;
        if (t->phase == THROTTLE_SECOND || limit > top)
            limit = top;
    }
    set_limit(t, THROTTLE_STEADY, limit, now);
}

/* The latencies of the calls that went at once at the start. */
static void measured_first(struct throttle *t, double latency, int in_flight) {
    if (in_flight == 1)
        t->alone = latency;
    if (2 * in_flight <= t->config.max_in_flight) {
        t->low_sum += latency;
        t->low_count++;
    } else {
        t->high_sum += latency;
        t->high_count++;
    }
    if (t->first <= 0 || latency < t->first) {
        t->second = t->first;
        t->first = latency;
    } else if (t->second <= 0 || latency < t->second)
        t->second = latency;
    t->base = t->second > 0 ? t->second : t->first;
    if (t->alone > 0)
        t->base = least(t->base, t->alone);
}

static void measured(struct throttle *t, const struct throttle_event *e) {
    double latency = (double)e->latency;
    if (latency <= 0)
        return;
    t->rest--;
    if (t->phase == THROTTLE_START || (t->phase == THROTTLE_SECOND && e->started < t->since))
        measured_first(t, latency, e->in_flight);
    if (t->phase == THROTTLE_START || e->started < t->since)
        return;
    take_sample(t, latency, e->in_flight);
    int enough = t->phase == THROTTLE_STEADY ? 8 : 4;
    if (t->count >= clamp(t->limit, enough, THROTTLE_SAMPLES))
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
    if (t->rate > 0) {
        fill(t, now);
        t->tokens--;
    }
    t->left--;
    if (t->phase == THROTTLE_START && ++t->started >= t->config.max_in_flight) {
#ifndef SECOND_SHARE
#define SECOND_SHARE 0.75
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
