/* Two policies side by side.
 *
 * Calls in flight. By Little's law, of L calls in flight L * (1 - base / latency) stand in the service's line, where `base`
 * is the latency of a call that need not stand (the estimate of TCP Vegas: Brakmo, O'Malley, Peterson, "TCP Vegas", 1994;
 * Netflix's concurrency-limits has it as VegasLimit). About one in line keeps every worker busy; so the limit rises where
 * there is less, and falls where there are two. Everything hangs on `base`. The smallest latency seen, as in Vegas and in
 * Netflix's GradientLimit, is too small where latencies differ by themselves, and the limit falls for nothing; the
 * simulation (spec/http/throttle.c, its table with the argument 3) shows both at it. So `base` is a mean, and where there
 * seems to be a line, a probe decides: some calls go with fewer in flight (as GradientLimit did to find its no-load
 * latency, and BBR does). If their latency falls, there was a line; if not, the service has become slower, and that is
 * the new base.
 *
 * Calls a second. From the first 429 on there is a token bucket here, that is to mirror the one of the service: its rate
 * starts from what came in so far, rises by a share with each call until the next 429, and is then measured: between two
 * refusals the service's bucket went from empty to empty. After that it rises again, slowly at first (the form is CUBIC's:
 * Ha, Rhee, Xu, 2008), so that a refusal is rare. The share is of a call, not of a second, so that all rates are alike.
 */
#include "http/throttle.h"

static const double SECOND = 1e9;

/* calls in flight */
static const double LINE_MOST = 1.5;     /* calls in line; half of it is little enough to try one more */
static const double SECOND_SHARE = 0.75; /* of max_in_flight, after the first calls: a bucket may be empty by then */
static const double TOGETHER = 0.1;      /* of a latency: answers that come within it were sent together */
static const double NO_LINE = 1.35;      /* the start's later calls took at most so many times its earlier ones' */
static const double FAULT = 0.7;         /* falls to it on a fault */
static const double CHANGED = 1.25;      /* a latency that grew so much while fewer were in flight */
static const int PATIENCE = 64, MOST_PATIENCE = 1024; /* samples between vain probes */
static const int REFRESH = 256;                       /* samples between probes below the maximum */

/* calls a second */
static const double GUESS_SPAN = 1;      /* seconds that a guess looks back at least: what came in sooner is a burst */
static const double GUESS_BURST = 5;     /* as long as the rate is a guess */
static const double GUESS_GROWTH = 0.05; /* for each call */
static const double FEW = 1;             /* accepted calls, fewer of which tell nothing: then */
static const double FEW_GROWTH = 0.2;    /* for each call: one stray refusal must not slow a service with room down */
static const double GROWTH = 0.03;       /* for each call, times the square of a share: */
static const double GROWTH_CALLS = 1200; /* calls since the refusal of so many, */
static const double GROWTH_SECONDS = 50; /* or seconds of so many, if that is more */
static const double CREEP = 0.01;        /* calls a second each second: what is very low must not take hours */
static const double MARGIN = 0.97;       /* of what was measured */
static const double ENOUGH = 20;         /* accepted calls that measure a rate */
static const double DECREASE = 0.7;      /* where there were fewer */
static const double LEAST_RATE = 0.1;
static const double VAIN = 0.75;                /* of what was let in before, and of the share that was refused */
static const int TRUCE = 64, MOST_TRUCE = 1024; /* accepted calls between vain attempts */
static const double TRUCE_GROWTH = 0.02;        /* for each call, meanwhile */
static const double TRUCE_BROKEN = 1.25;        /* times the share that was refused */

static double least(double a, double b) {
    return a < b ? a : b;
}

static double most(double a, double b) {
    return a > b ? a : b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int rounded(double value, int low, int high) {
    return value <= low ? low : value >= high ? high : (int)(value + 0.5);
}

static double seconds(int64_t from, int64_t to) {
    return (double)(to - from) / SECOND;
}

void throttle_init(struct throttle *t, const struct throttle_config *config) {
    *t = (struct throttle){
        .config = *config, .limit = config->max_in_flight, .patience = PATIENCE, .truce_calls = TRUCE};
    t->since = t->cut = t->opened = t->to = INT64_MIN;
}

int throttle_limit(const struct throttle *t) {
    return t->limit;
}

int64_t throttle_latency(const struct throttle *t) {
    return (int64_t)t->base;
}

double throttle_rate(const struct throttle *t) {
    return t->rate;
}

/* ---- calls a second ---- */

static void fill(struct throttle *t, int64_t now) {
    t->tokens = least(t->burst, t->tokens + seconds(t->filled, now) * t->rate);
    t->filled = now;
}

/* n calls that came in within T seconds came out of a bucket of at most `capacity`, and of what ran into it meanwhile:
 * n <= capacity + rate * T. So each tail of a span that ended with an empty bucket bounds the rate from below, and the
 * best of them is the rate itself, if the bucket was full where it begins. */
static double rate_bound(const struct throttle *t) {
    double best = 0;
    int kept = t->marks < THROTTLE_MARKS ? t->marks : THROTTLE_MARKS;
    for (int n = 8 + rounded(t->capacity, 0, THROTTLE_MARKS); n <= kept; n++) {
        double time = seconds(t->mark[(t->marks - n) % THROTTLE_MARKS], t->refused_start);
        if (time > 0)
            best = most(best, (n - t->capacity) / time);
    }
    return best;
}

/* After the first refusal: what came in so far, over the time so far and the pause. */
static void guess_rate(struct throttle *t) {
    double pause = t->held > t->to ? seconds(t->to, t->held) : 0;
    t->first_span = seconds(t->from, t->refused_start);
    t->capacity = t->first_accepted = t->accepted;
    t->rate = most(LEAST_RATE, most(t->accepted, 1) / most(t->first_span + pause, GUESS_SPAN));
    t->burst = most(1, least(GUESS_BURST, t->capacity / 2));
    t->span.next_rate = t->rate;
}

/* Some services refuse whatever the pace, say each fifth call. A bucket lets as many in when they come more slowly, and refuses
 * fewer of them: where neither was so, slowing down helped nobody. Then refusals slow nothing for some calls, unless they
 * become more frequent: so they do where others ask the same bucket. */
static bool slowed_in_vain(const struct throttle_span *before, const struct throttle_span *now) {
    return before->refused > 0 && now->accepted < VAIN * before->accepted && now->refused > VAIN * before->refused;
}

static bool truce_holds(struct throttle *t) {
    if (t->truce > 0 && t->marks > 0) {
        if (t->refused <= TRUCE_BROKEN * t->vain_share * (t->accepted + t->refused) + 1)
            return true;
        t->truce = 0;
    }
    return false;
}

/* After a later one. */
static void measure_rate(struct throttle *t) {
    if (truce_holds(t))
        return;
    if (t->accepted < ENOUGH) {
        t->rate = most(t->rate * DECREASE, LEAST_RATE);
        return;
    }
    double rate = t->accepted / most(seconds(t->from, t->to), 1e-3);
    struct throttle_span span = {rate, t->refused / (t->accepted + t->refused), t->span.next_rate, 0};
    if (slowed_in_vain(&t->span, &span)) {
        t->truce = t->truce_calls;
        t->truce_calls = t->truce_calls < MOST_TRUCE ? 2 * t->truce_calls : MOST_TRUCE;
        t->vain_share = span.refused;
        t->rate = t->span.rate;
        t->span.refused = 0;
        return;
    }
    for (int i = 0; i < 4;
         i++) { /* each makes the other better: what ran in during the first span was not in the bucket */
        rate = most(rate, rate_bound(t));
        t->capacity = least(t->capacity, most(1, t->first_accepted - rate * t->first_span));
    }
    t->measured = true;
    t->rate = most(least(t->rate, MARGIN * rate), LEAST_RATE);
    t->burst = most(1, least(t->capacity - 1, t->config.max_in_flight));
    span.next_rate = t->rate;
    t->span = span;
}

static void grow_rate(struct throttle *t, int64_t now) {
    if (t->rate <= 0 || t->tokens > t->burst - 0.5) /* it holds nobody back */
        return;
    t->paced++;
    double share = least(most(t->paced / GROWTH_CALLS, seconds(t->to, now) / GROWTH_SECONDS), 2);
    double guess = t->first_accepted < FEW ? FEW_GROWTH : GUESS_GROWTH;
    t->rate *= 1 + (t->truce > 0 ? TRUCE_GROWTH : t->measured ? GROWTH * share * share : guess);
    t->rate += CREEP * seconds(t->grown, now);
    t->grown = now;
}

static void accepted(struct throttle *t, const struct throttle_event *e) {
    if (e->started <= t->to) { /* it was in flight when another was refused */
        t->accepted++;
        t->refused_start = later(t->refused_start, e->started);
        if (t->refusals == 1)
            guess_rate(t);
        return;
    }
    t->running++;
    if (t->truce > 0 && --t->truce == 0) {
        t->opened = e->now;
        t->running = t->refused = 0;
        t->span.next_rate = t->rate;
    }
    t->mark[t->marks++ % THROTTLE_MARKS] = e->started;
    if (t->marks == 2 * THROTTLE_MARKS)
        t->marks = THROTTLE_MARKS;
    double age = seconds(t->opened, e->now);
    if (t->refusals == 0 && age > 10) { /* lately is five to ten seconds */
        t->running *= 5 / age;
        t->opened = e->now - (int64_t)(5 * SECOND);
    }
    grow_rate(t, e->now);
}

static void refused(struct throttle *t, const struct throttle_event *e) {
    if (e->started <= t->to) { /* by the same empty bucket; but it may ask for a longer pause */
        t->refused_start = later(t->refused_start, e->started);
        t->refused++;
        if (t->refusals == 1)
            guess_rate(t);
        return;
    }
    t->refused++;
    t->from = t->opened;
    t->to = t->filled = t->grown = e->now;
    t->refused_start = e->started;
    t->accepted = t->running;
    if (t->refusals == 0)
        guess_rate(t);
    else
        measure_rate(t);
    if (t->refusals == 0 || t->accepted >= ENOUGH) { /* else the span goes on, until it tells more */
        t->opened = e->now;
        t->running = t->refused = 0;
    }
    if (t->refusals < 2)
        t->refusals++;
    t->tokens = t->paced = 0;
    t->marks = 0;
}

/* ---- calls in flight ---- */

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
    t->held = later(t->held, until);
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

int64_t throttle_next(struct throttle *t, int64_t now) {
    int64_t next = t->held > t->fixed_next ? t->held : t->fixed_next;
    if (t->rate > 0) {
        int64_t at = next > now ? next : now;
        fill(t, now);
        double lacking = 1 - 1e-6 - (t->tokens + seconds(now, at) * t->rate);
        if (lacking > 0)
            next = at + 1 + (int64_t)(lacking / t->rate * SECOND);
    }
    if (t->left < 1 && t->resets > now && t->resets > next)
        next = t->resets;
    return next;
}

void throttle_started(struct throttle *t, int64_t now) {
    if (t->config.rate > 0)
        t->fixed_next = now + (int64_t)least(SECOND / t->config.rate, 3.2e18); /* a century at the most */
    if (!t->config.adaptive)
        return;
    if (t->opened == INT64_MIN)
        t->opened = now;
    if (t->rate > 0) {
        fill(t, now);
        t->tokens--;
    }
    t->left--;
    if (t->phase == THROTTLE_START && ++t->started >= t->config.max_in_flight)
        set_limit(t, THROTTLE_SECOND, rounded(SECOND_SHARE * t->limit, 1, t->limit), now + 1);
}

void throttle_ended(struct throttle *t, const struct throttle_event *e) {
    if (e->retry_after >= 0)
        hold(t, e->now + (int64_t)(least(e->retry_after, t->config.max_wait) * SECOND));
    if (!t->config.adaptive)
        return;
    if (e->kind == THROTTLE_REFUSED && t->config.shared)
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

/* What is left may go at full speed: nothing is gained by spreading it over the window. */
void throttle_headers(struct throttle *t, int64_t now, const struct ratelimit *r, int in_flight) {
    if (!t->config.adaptive || r->remaining < 0 || r->reset < 0 || r->reset > t->config.max_wait)
        return;
    t->left = (double)(r->remaining - in_flight);
    t->resets = now + (int64_t)(r->reset * SECOND);
}
