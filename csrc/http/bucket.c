/* From the first 429 on there is a token bucket here, that is to mirror the one of the service: its rate starts from what came
 * in so far, rises by a share with each call until the next 429, and is then measured: between two refusals the service's
 * bucket went from empty to empty. After that it rises again, slowly at first (the form is CUBIC's: Ha, Rhee, Xu, 2008), so
 * that a refusal is rare. The share is of a call, not of a second, so that all rates are alike.
 */
#include "http/bucket.h"

#include "base/numbers.h"

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
static const double DECREASE = 0.7;      /* where there were fewer; and as long as the rate is a guess, at most */
static const double SURE = 1.5;          /* calls more than came in */
static const int SHUT = 2;               /* refusals in a row, after as many calls as these were let in: */
static const double KNOWN = 8;
static const double FIRST_PAUSE = 2,
                    WIDER = 11; /* times the backoff, 0.5 s: windows of 1, 10, 60 s end before 1, 11, 60 s */
static const double LEAST_RATE = 0.1, MOST_RATE = 1e4;
static const double VAIN = 0.75;                /* of what was let in before, and of the share that was refused */
static const int TRUCE = 64, MOST_TRUCE = 1024; /* accepted calls between vain attempts */
static const double TRUCE_GROWTH = 0.02;        /* for each call, meanwhile */
static const double TRUCE_BROKEN = 1.25;        /* times the share that was refused */

void bucket_init(struct bucket *b, int max_in_flight) {
    *b = (struct bucket){.max_in_flight = max_in_flight, .truce_calls = TRUCE};
    b->opened = b->to = INT64_MIN;
}

static void fill(struct bucket *b, int64_t now) {
    b->tokens = least(b->burst, b->tokens + seconds(b->filled, now) * b->rate);
    b->filled = now;
}

/* n calls that came in within T seconds came out of a bucket of at most `capacity`, and of what ran into it meanwhile:
 * n <= capacity + rate * T. So each tail of a span that ended with an empty bucket bounds the rate from below, and the
 * best of them is the rate itself, if the bucket was full where it begins. */
static double rate_bound(const struct bucket *b) {
    double best = 0;
    int kept = b->marks < BUCKET_MARKS ? b->marks : BUCKET_MARKS;
    for (int n = 8 + rounded(b->capacity, 0, BUCKET_MARKS); n <= kept; n++) {
        double time = seconds(b->mark[(b->marks - n) % BUCKET_MARKS], b->refused_start);
        if (time > 0)
            best = most(best, (n - b->capacity) / time);
    }
    return best;
}

/* After the first refusal: what came in so far, over the time so far and the pause. */
static void guess_rate(struct bucket *b) {
    double pause = b->held > b->to ? seconds(b->to, b->held) : 0;
    b->first_span = seconds(b->from, b->refused_start);
    b->capacity = b->first_accepted = b->accepted;
    b->rate = most(LEAST_RATE, most(b->accepted, 1) / most(b->first_span + pause, GUESS_SPAN));
    b->burst = most(1, least(GUESS_BURST, b->capacity / 2));
    b->span.next_rate = b->rate;
}

/* Some services refuse whatever the pace, say each fifth call. A bucket lets as many in when they come more slowly, and refuses
 * fewer of them: where neither was so, slowing down helped nobody. Then refusals slow nothing for some calls, unless they
 * become more frequent: so they do where others ask the same bucket. */
static bool slowed_in_vain(const struct bucket_span *before, const struct bucket_span *after) {
    return before->refused > 0 && after->accepted < VAIN * before->accepted && after->refused > VAIN * before->refused;
}

static bool truce_holds(struct bucket *b) {
    if (b->truce > 0 && b->refused > TRUCE_BROKEN * b->vain_share * (b->accepted + b->refused) + 1)
        b->truce = 0;
    return b->truce > 0;
}

/* After a later one. */
static void measure_rate(struct bucket *b) {
    if (truce_holds(b))
        return;
    if (b->accepted < ENOUGH) {
        double bound = (b->accepted + SURE) / most(seconds(b->from, b->to), 1e-3); /* it was empty at both ends */
        b->rate = most(least(b->rate * DECREASE, b->measured ? b->rate : bound), LEAST_RATE);
        return;
    }
    double rate = b->accepted / most(seconds(b->from, b->to), 1e-3);
    struct bucket_span span = {rate, b->refused / (b->accepted + b->refused), b->span.next_rate, 0};
    if (slowed_in_vain(&b->span, &span)) {
        b->truce = b->truce_calls;
        b->truce_calls = b->truce_calls < MOST_TRUCE ? 2 * b->truce_calls : MOST_TRUCE;
        b->vain_share = span.refused;
        b->rate = b->span.rate;
        b->span.refused = 0;
        return;
    }
    for (int i = 0; i < 4; i++) { /* each makes the other better: what ran in during the first span was not in it */
        rate = most(rate, rate_bound(b));
        b->capacity = least(b->capacity, most(1, b->first_accepted - rate * b->first_span));
    }
    b->measured = true;
    b->rate = most(least(b->rate, MARGIN * rate), LEAST_RATE);
    b->burst = most(1, least(b->capacity - 1, b->max_in_flight));
    span.next_rate = b->rate;
    b->span = span;
}

static void grow_rate(struct bucket *b, int64_t now) {
    if (b->rate <= 0 || b->tokens > b->burst - 0.5) /* it holds nobody back */
        return;
    b->paced++;
    double share = least(most(b->paced / GROWTH_CALLS, seconds(b->to, now) / GROWTH_SECONDS), 2);
    double guess = b->first_accepted < FEW ? FEW_GROWTH : GUESS_GROWTH;
    b->rate *= 1 + (b->truce > 0 ? TRUCE_GROWTH : b->measured ? GROWTH * share * share : guess);
    b->rate = least(b->rate + CREEP * seconds(b->grown, now), MOST_RATE);
    b->grown = now;
}

bool bucket_shut(const struct bucket *b) {
    return b->shut >= SHUT && b->let_in >= KNOWN;
}

int64_t bucket_reopens(const struct bucket *b, bool told, double backoff, double longest) {
    int steps = b->shut - SHUT - told;
    if (!bucket_shut(b) || steps < 0)
        return INT64_MIN;
    double pause = FIRST_PAUSE * backoff, before = 0;
    for (; steps > 0 && before < longest; steps--) {
        before = pause;
        pause *= WIDER;
    }
    int64_t from = before < longest ? b->shut_since : b->to; /* the longest again and again */
    return from + (int64_t)(least(pause, longest) * NS_PER_SECOND);
}

/* A window of the limit has begun: from one beginning to the next, the service lets in as many as it lets in. */
static void reopen(struct bucket *b, int64_t started) {
    b->rate = most(least(b->rate, MARGIN * b->let_in / most(seconds(b->reopened, started), 1e-3)), LEAST_RATE);
    b->measured = b->measured || b->let_in >= ENOUGH;
    b->truce = 0;
    b->reopened = b->opened = b->grown = started;
    b->let_in = b->running = b->refused = 0;
}

void bucket_accepted(struct bucket *b, int64_t started, int64_t now) {
    if (started > b->to) {
        if (bucket_shut(b) && b->shut > SHUT) /* a pause of a second may have been another client's doing */
            reopen(b, started);
        b->shut = 0;
    }
    b->let_in++;
    b->active = now;
    if (started <= b->to) { /* it was in flight when another was refused */
        b->accepted++;
        b->refused_start = later(b->refused_start, started);
        if (b->refusals == 1)
            guess_rate(b);
        return;
    }
    b->running++;
    if (b->truce > 0 && --b->truce == 0) {
        b->opened = now;
        b->running = b->refused = 0;
        b->span.next_rate = b->rate;
    }
    b->mark[b->marks++ % BUCKET_MARKS] = started;
    if (b->marks == 2 * BUCKET_MARKS)
        b->marks = BUCKET_MARKS;
    double age = seconds(b->opened, now);
    if (b->refusals == 0 && age > 10) { /* lately is five to ten seconds */
        b->running *= 5 / age;
        b->opened = now - (int64_t)(5 * NS_PER_SECOND);
    }
    grow_rate(b, now);
}

void bucket_refused(struct bucket *b, int64_t started, int64_t now, int64_t held) {
    b->held = held;
    b->active = now;
    if (started <= b->to) { /* by the same empty bucket; but it may ask for a longer pause */
        b->refused_start = later(b->refused_start, started);
        b->refused++;
        if (b->refusals == 1)
            guess_rate(b);
        return;
    }
    b->refused++;
    bool again = b->refusals > 0 && b->marks == 0;
    b->shut = again ? b->shut + 1 : 1;
    if (!again)
        b->shut_since = now;
    b->to = b->filled = b->grown = now;
    b->tokens = b->paced = 0;
    if (bucket_shut(b))
        return; /* it says nothing of a pace */
    b->from = b->opened;
    b->refused_start = started;
    b->accepted = b->running;
    if (b->refusals == 0)
        guess_rate(b);
    else
        measure_rate(b);
    if (b->refusals == 0 || b->accepted >= ENOUGH) { /* else the span goes on, until it tells more */
        b->opened = now;
        b->running = b->refused = 0;
    }
    if (b->refusals < 2)
        b->refusals++;
    b->marks = 0;
}

int64_t bucket_next(struct bucket *b, int64_t now, int64_t at) {
    if (b->rate <= 0)
        return at;
    int64_t from = later(at, now);
    fill(b, now);
    double lacking = 1 - 1e-6 - (b->tokens + seconds(now, from) * b->rate);
    return lacking > 0 ? from + 1 + (int64_t)(lacking / b->rate * NS_PER_SECOND) : at;
}

/* Time in which nobody asked says nothing of what the service lets in. */
void bucket_wanted(struct bucket *b, int64_t now, int64_t free) {
    int64_t since = later(b->active, free);
    if (b->opened == INT64_MIN || now <= since)
        return;
    b->opened += now - since;
    b->reopened += now - since;
}

void bucket_started(struct bucket *b, int64_t now) {
    if (b->opened == INT64_MIN)
        b->opened = b->reopened = now;
    b->active = now;
    if (b->rate > 0) {
        fill(b, now);
        b->tokens--;
    }
}
