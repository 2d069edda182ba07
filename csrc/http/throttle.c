/* Calls in flight. By Little's law, of L calls in flight L * (1 - base / latency) stand in the service's line, where `base`
 * is the latency of a call that need not stand (the estimate of TCP Vegas: Brakmo, O'Malley, Peterson, "TCP Vegas", 1994;
 * Netflix's concurrency-limits has it as VegasLimit). About one in line keeps every worker busy; so the limit rises where
 * there is less, and falls where there are two. Everything hangs on `base`. The smallest latency seen, as in Vegas and in
 * Netflix's GradientLimit, is too small where latencies differ by themselves, and the limit falls for nothing; the
 * simulation (spec/http/throttle.c, its table with the argument 3) shows both at it. So `base` is a mean, and where there
 * seems to be a line, a probe decides: some calls go with fewer in flight (as GradientLimit did to find its no-load
 * latency, and BBR does). If their latency falls, there was a line; if not, the service has become slower, and that is
 * the new base.
 */
#include "http/throttle.h"

#include "base/numbers.h"

static const double LONGEST = 86400; /* seconds that a Retry-After is believed; later calls ask again */

static const double LINE_MOST = 1.5;     /* calls in line; half of it is little enough to try one more */
static const double SECOND_SHARE = 0.75; /* of max_in_flight, after the first calls: a bucket may be empty by then */
static const double TOGETHER = 0.1;      /* of a latency: answers that come within it were sent together */
static const double TURNS = 2;           /* calls of which a last attempt takes the place */
static const double NO_LINE = 1.35;      /* the start's later calls took at most so many times its earlier ones' */
static const double FAULT = 0.7;         /* falls to it on a fault */
static const double CHANGED = 1.25;      /* a latency that grew so much while fewer were in flight */
static const int PATIENCE = 64, MOST_PATIENCE = 1024; /* samples between vain probes */
static const int REFRESH = 256;                       /* samples between probes below the maximum */

void throttle_init(struct throttle *t, const struct throttle_config *config) {
    *t = (struct throttle){.config = *config, .limit = config->max_in_flight, .patience = PATIENCE};
    t->since = t->cut = INT64_MIN;
    bucket_init(&t->bucket, config->max_in_flight);
}

int throttle_limit(const struct throttle *t) {
    return bucket_shut(&t->bucket) ? 1 : t->limit;
}

int64_t throttle_latency(const struct throttle *t) {
    return (int64_t)t->base;
}

double throttle_rate(const struct throttle *t) {
    return t->bucket.rate;
}

bool throttle_shut(const struct throttle *t) {
    return bucket_shut(&t->bucket);
}

double throttle_pause(const struct throttle *t, int64_t now) {
    return bucket_shut(&t->bucket) && t->own > now ? seconds(now, t->own) : 0;
}

double throttle_turn(const struct throttle *t) {
    return t->bucket.rate > 0 ? TURNS / t->bucket.rate : 0;
}

static void set_limit(struct throttle *t, enum throttle_phase phase, int limit, int64_t now) {
    t->phase = phase;
    t->limit = limit;
    t->since = now;
    t->samples = t->peak = 0;
}

static void take_sample(struct throttle *t, double latency, int in_flight) {
    int i = t->samples++;
    for (; i > 0 && t->sample[i - 1] > latency; i--)
        t->sample[i] = t->sample[i - 1];
    t->sample[i] = latency;
    t->peak = in_flight > t->peak ? in_flight : t->peak;
}

/* The mean, in which a single slow call counts little. */
static double typical_latency(const struct throttle *t) {
    double sum = 0, cap = 2 * t->sample[t->samples / 2];
    for (int i = 0; i < t->samples; i++)
        sum += least(t->sample[i], cap);
    return sum / t->samples;
}

/* Down to `aim` calls, but not below half of the limit at a time: where there is no line after all, that costs time. */
static void start_probe(struct throttle *t, int aim, double latency, int64_t now) {
    int lowest = (t->limit + 1) / 2;
    t->clipped = aim < lowest;
    t->latency_before = latency;
    t->in_flight_before = t->peak;
    t->limit_before = t->limit;
    t->suspicion = 0;
    set_limit(t, THROTTLE_PROBE, t->clipped ? lowest : aim, now);
}

static void end_probe(struct throttle *t, double latency, int64_t now) {
    double fell_to = latency / t->latency_before, lowered_to = (double)t->limit / t->limit_before;
    int limit = t->limit_before;
    t->rest = 0;
    if (fell_to > CHANGED) {                     /* something else happened meanwhile: it says nothing */
    } else if (fell_to > (1 + lowered_to) / 2) { /* nearer to not at all than to as much as the limit: no line */
        t->base = (latency + t->latency_before) / 2;
        t->rest = t->patience;
        t->patience = t->patience < MOST_PATIENCE ? 2 * t->patience : MOST_PATIENCE;
    } else {
        t->base = t->clipped ? least(t->base, latency) : latency;
        t->patience = PATIENCE;
        limit = rounded(t->in_flight_before * t->base / t->latency_before + 1, t->limit, t->limit_before);
    }
    set_limit(t, THROTTLE_STEADY, limit, now);
}

/* A round of samples is complete. */
static void judge(struct throttle *t, int64_t now) {
    double latency = typical_latency(t);
    int limit = t->limit, top = t->config.max_in_flight;
    if (t->phase == THROTTLE_PROBE) {
        end_probe(t, latency, now);
        return;
    }
    if (t->phase == THROTTLE_SECOND && t->low.count && t->high.count) {
        double low = t->low.sum / t->low.count, high = t->high.sum / t->high.count;
        if (high < NO_LINE * low)
            t->base = (low + high) / 2;
    }
    if (t->base <= 0)
        t->base = latency;
    double line = t->peak * (1 - t->base / latency);
    if (line > LINE_MOST) {
        t->suspicion += t->phase == THROTTLE_SECOND ? 2 : 1; /* later ones: the latency must have settled */
        if (t->suspicion >= 2 && limit > 1 && t->rest <= 0) {
            start_probe(t, rounded(t->peak * t->base / latency, 1, limit - 1), latency, now);
            return;
        }
    } else if (limit > 1 && limit < top && t->rest < -REFRESH) {
        start_probe(t, limit / 2, latency, now);
        return;
    } else {
        t->suspicion = 0;
        if (line < LINE_MOST / 2 && (latency < t->base || limit == top))
            t->base += (latency - t->base) / 4;
        if (line < LINE_MOST / 2 && t->peak >= limit)
            limit += 1 + limit / 8;
        if (t->phase == THROTTLE_SECOND || limit > top)
            limit = top;
    }
    set_limit(t, THROTTLE_STEADY, limit, now);
}

static void hold(struct throttle *t, int64_t until) {
    t->own = later(t->own, until);
}

/* A latency of the first calls, which all go at once: those that went first saw no line, or a short one. */
static void measured_at_start(struct throttle *t, double latency, int in_flight) {
    struct throttle_latencies *half = 2 * in_flight <= t->config.max_in_flight ? &t->low : &t->high;
    half->sum += latency;
    half->count++;
    if (in_flight == 1)
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

static void measured(struct throttle *t, const struct throttle_event *e) {
    double latency = (double)e->latency;
    if (latency <= 0)
        return;
    if (t->rest >= -REFRESH)
        t->rest--;
    bool old = e->started < t->since;
    if (t->phase == THROTTLE_START || (t->phase == THROTTLE_SECOND && old))
        measured_at_start(t, latency, e->in_flight);
    if (t->phase == THROTTLE_START || old)
        return;
    take_sample(t, latency, e->in_flight);
    if (t->phase == THROTTLE_SECOND && t->samples == 1) /* a refusal may come right behind: no call more before it */
        hold(t, e->now + (int64_t)(TOGETHER * t->base));
    int round = t->phase == THROTTLE_STEADY ? 8 : 4;
    if (t->samples >= rounded(t->limit, round, THROTTLE_SAMPLES))
        judge(t, e->now);
}

/* Once for all that were in flight together. */
static void overloaded(struct throttle *t, const struct throttle_event *e) {
    if (e->started < t->cut)
        return;
    t->cut = e->now;
    set_limit(t, THROTTLE_STEADY, rounded(t->limit * FAULT - 0.5, 1, t->limit), e->now);
}

/* ---- what the queue asks and tells ---- */

/* When the next call might go, the bucket and the service's quota apart. */
static int64_t free_from(const struct throttle *t) {
    return later(later(t->held, t->own), t->fixed_next);
}

int64_t throttle_next(struct throttle *t, int64_t now) {
    return later(bucket_next(&t->bucket, now, free_from(t)), t->left < 1 && t->resets > now ? t->resets : INT64_MIN);
}

int64_t throttle_told(const struct throttle *t) {
    return t->left < 1 ? later(t->held, t->resets) : t->held;
}

void throttle_wanted(struct throttle *t, int64_t now) {
    bucket_wanted(&t->bucket, now, later(free_from(t), throttle_told(t)));
}

void throttle_started(struct throttle *t, int64_t now) {
    if (t->config.rate > 0)
        t->fixed_next = now + (int64_t)least(NS_PER_SECOND / t->config.rate, 3.2e18); /* a century at the most */
    if (!t->config.adaptive)
        return;
    bucket_started(&t->bucket, now);
    t->left--;
    if (t->phase == THROTTLE_START && ++t->started >= t->config.max_in_flight)
        set_limit(t, THROTTLE_SECOND, rounded(SECOND_SHARE * t->limit, 1, t->limit), now + 1);
}

void throttle_ended(struct throttle *t, const struct throttle_event *e) {
    if (e->retry_after >= 0)
        t->held = later(t->held, e->now + (int64_t)(least(e->retry_after, LONGEST) * NS_PER_SECOND));
    if (!t->config.adaptive)
        return;
    if (e->kind == THROTTLE_REFUSED) {
        bucket_refused(&t->bucket, e->started, e->now, t->held);
        hold(t, bucket_reopens(&t->bucket, e->retry_after >= 0, t->config.backoff, t->config.max_wait));
    } else if (e->kind == THROTTLE_OVERLOADED)
        overloaded(t, e);
    else
        bucket_accepted(&t->bucket, e->started, e->now);
    if (t->config.shared)
        t->bucket.rate = 0;
    if (e->kind == THROTTLE_OK)
        measured(t, e);
}

/* What is left may go at full speed: nothing is gained by spreading it over the window. */
void throttle_headers(struct throttle *t, int64_t now, const struct ratelimit *r, int in_flight) {
    if (!t->config.adaptive || r->remaining < 0 || r->reset < 0 || r->reset > t->config.max_wait)
        return;
    t->left = (double)(r->remaining - in_flight);
    t->resets = now + (int64_t)(r->reset * NS_PER_SECOND);
}
