#include "http/queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/call.h"
#include "http/trace.h"

static const double AHEAD_OF_EXPIRY = 60; /* seconds; of a token that lasts less than twice that, half its life */

static void on_timer(struct timer *t) {
    queue_dispatch(link_owner(t, struct queue, timer));
}

void queue_init(struct queue *n, struct loop *lp, const struct settings *settings) {
    *n = (struct queue){.loop = lp, .settings = settings, .timer = {.fire = on_timer}, .token_expires = -1};
    link_init(&n->waiting);
    link_init(&n->in_flight);
    link_init(&n->delayed);
    link_init(&n->notifiers.link);
    cond_init(&n->activity);
    n->random = (uint64_t)timer_now() ^ (uint64_t)(uintptr_t)n ^ UINT64_C(0x9E3779B97F4A7C15);
}

static void forget(char **secret) {
    if (*secret)
        memset(*secret, 0, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void queue_signal(struct queue *n) {
    n->ended++;
    cond_signal(&n->activity);
}

void queue_close(struct queue *n) {
    struct link *lists[] = {&n->waiting, &n->in_flight, &n->delayed};
    if (!n->loop)
        return;
    n->closed = true;
    loop_timer_drop(n->loop, &n->timer);
    for (int i = 0; i < 3; i++)
        while (!link_alone(lists[i]))
            call_end(link_owner(lists[i]->next, struct call, link), OUTCOME_CLOSED);
    forget(&n->token);
    queue_signal(n);
}

/* xorshift64* (Vigna, 2016). */
double queue_random(struct queue *n) {
    uint64_t x = n->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    n->random = x;
    return (double)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 11) / 9007199254740992.0;
}

/* ---- telling Lua ---- */

/* Asks to be told between turns. */
static void request_notify(struct queue *n) {
    if (link_alone(&n->notifiers.link))
        link_put(&n->loop->notifiers, &n->notifiers.link);
}

void queue_trace(struct queue *n, const struct call *c, const char *event, double seconds, const char *message) {
    if (!n->trace)
        return;
    struct trace_event e = {.event = event, .seconds = seconds, .message = message};
    if (c) {
        e.path = strlen(c->url) > n->base_size ? c->url + n->base_size : c->url;
        e.secret = n->token;
        e.post = c->form != NULL;
        e.attempt = call_attempts(c);
        e.status = c->transfer.reply.status;
        int limit = queue_limit(n);
        e.limit = limit < n->throttle.config.max_in_flight ? limit : 0;
        e.rate = throttle_rate(&n->throttle);
    }
    trace_record(n->trace, &e);
    request_notify(n);
}

/* ---- the token, and a limiter's permits ---- */

static void want_token(struct queue *n, bool rejected) {
    n->token_rejected = rejected;
    if (n->token_state != SOURCE_READY)
        return;
    n->token_state = SOURCE_WANTED;
    request_notify(n);
}

void queue_token_rejected(struct queue *n) {
    want_token(n, true);
}

/* Whether a call can be sent with the token at hand; asks for one where it cannot. */
static bool token_ready(struct queue *n) {
    if (!n->token_from_lua)
        return true;
    if (n->token_state != SOURCE_READY)
        return false;
    bool stale = n->token_expires >= 0 && timer_now() > n->token_expires;
    if (n->token && (!stale || n->token_unused)) /* one that is born stale serves a call, else none would ever go */
        return true;
    want_token(n, false);
    return false;
}

bool queue_token(struct queue *n, const char *token, double expires_in) {
    char *copy = strdup(token);
    if (!copy)
        return false;
    forget(&n->token);
    n->token = copy;
    n->token_serial++;
    n->token_rejected = false;
    n->token_state = SOURCE_READY;
    double ahead = expires_in < 2 * AHEAD_OF_EXPIRY ? expires_in / 2 : AHEAD_OF_EXPIRY;
    n->token_expires = expires_in < 0 ? -1 : timer_now() + timer_span(expires_in - ahead);
    n->token_unused = true;
    queue_dispatch(n);
    return true;
}

void queue_token_failed(struct queue *n) {
    n->token_state = n->permit_state = SOURCE_READY;
    if (n->token_from_lua)
        forget(&n->token);
    while (!link_alone(&n->waiting)) /* to end a call asks for none */
        call_end(link_owner(n->waiting.next, struct call, link), OUTCOME_TOKEN);
}

void queue_permit(struct queue *n) {
    n->permit_state = SOURCE_READY;
    n->permits++;
    queue_dispatch(n);
}

static bool permit_ready(struct queue *n) {
    if (!n->limited || n->permits > 0)
        return true;
    if (n->permit_state == SOURCE_READY) {
        n->permit_state = SOURCE_WANTED;
        request_notify(n);
    }
    return false;
}

/* ---- limits ---- */

/* The queue waits from now until `when`, as far as that was not counted before. */
static void count_wait(struct queue *n, int64_t now, int64_t when) {
    int64_t from = n->counted_until > now ? n->counted_until : now;
    if (when <= from)
        return;
    double seconds = (double)(when - from) / (double)NS_PER_SECOND;
    n->counted_until = when;
    n->stats.waited += seconds;
    queue_trace(n, NULL, "wait", seconds, NULL);
}

double queue_waited(const struct queue *n) {
    int64_t now = timer_now();
    double ahead = n->counted_until > now ? (double)(n->counted_until - now) / (double)NS_PER_SECOND : 0;
    return n->stats.waited - ahead;
}

void queue_pause(struct queue *n, int64_t when) {
    if (when <= n->paused_until)
        return;
    n->paused_until = when + 1; /* after the call itself is back in the queue, so that it goes first */
    count_wait(n, timer_now(), n->paused_until);
}

/* Goes on at `when`. */
static void go_on_at(struct queue *n, int64_t when, int64_t now) {
    if (n->timer.armed && n->timer.when <= when)
        return;
    loop_timer_arm(n->loop, &n->timer, when);
    count_wait(n, now, when);
}

static enum throttle_kind kind_of(const struct call *c) {
    long status = c->outcome == OUTCOME_ANSWER ? c->transfer.reply.status : 0;
    if (status == 429)
        return THROTTLE_REFUSED;
    if (status == 503 || c->outcome == OUTCOME_TIMEOUT || c->outcome == OUTCOME_NETWORK)
        return THROTTLE_OVERLOADED;
    return status >= 200 && status < 300 ? THROTTLE_OK : THROTTLE_OTHER;
}

void queue_note(struct queue *n, const struct call *c, bool passing) {
    struct ratelimit said;
    const struct throttle_event e = {
        .now = timer_now(),
        .started = c->started,
        .latency = c->transfer.reply.latency,
        .kind = kind_of(c),
        .retry_after = c->retry_after,
        .in_flight = c->sent_with,
    };
    throttle_ended(&n->throttle, &e);
    if (headers_rate_limit(&c->transfer.reply.headers, (int64_t)time(NULL), &said))
        throttle_headers(&n->throttle, e.now, &said, n->sent);
    n->failures = passing && e.kind != THROTTLE_REFUSED ? n->failures + 1 : 0;
}

/* While nothing at all comes back (as many attempts as may be in flight failed in a row), one call asks and the others wait:
 * a short outage must not use up the retries of all. */
int queue_limit(const struct queue *n) {
    int limit = throttle_limit(&n->throttle);
    return n->failures >= limit && n->failures > 1 ? 1 : limit;
}

double queue_rate(const struct queue *n) {
    double learnt = throttle_rate(&n->throttle), most = n->throttle.config.rate;
    return learnt > 0 && (most <= 0 || learnt < most) ? learnt : most;
}

void queue_put(struct queue *n, struct call *c) {
    struct link *at = n->waiting.next;
    while (at != &n->waiting && link_owner(at, struct call, link)->asked <= c->asked)
        at = at->next;
    link_put(at, &c->link);
}

/* The first `count` calls, which the client's own limits would let go, wait for a token, a permit or the end of a pause:
 * their deadlines begin. One whose deadline comes before `when`, until which the service asks to wait, need not wait, and
 * leaves its place to the next. */
static void begin_deadlines(struct queue *n, int64_t when, int count) {
    for (struct link *l = n->waiting.next, *next; l != &n->waiting && count > 0; l = next) {
        struct call *c = link_owner(l, struct call, link);
        next = l->next;
        call_begin_deadline(c);
        if (c->limit.armed && c->limit.when < when) {
            c->retry_after = (double)(when - timer_now()) / (double)NS_PER_SECOND;
            call_end(c, OUTCOME_LIMITED);
        } else {
            count--;
        }
    }
}

/* Where the service asked all to keep away for longer than one may be made to wait, no call waits: each is told until when. */
static void give_up(struct queue *n, int64_t pause) {
    int64_t seconds = (pause + NS_PER_SECOND - 1) / NS_PER_SECOND; /* rounded up */
    while (!link_alone(&n->waiting)) {
        struct call *c = link_owner(n->waiting.next, struct call, link);
        c->retry_after = (double)seconds;
        call_end(c, OUTCOME_LIMITED);
    }
}

/* The call to send. While the service lets nothing in, one that failed least asks: else the first uses up its retries for all. */
static struct call *next_call(const struct queue *n) {
    struct call *best = link_owner(n->waiting.next, struct call, link);
    bool shut = throttle_shut(&n->throttle);
    for (struct link *l = best->link.next; shut && l != &n->waiting; l = l->next) {
        struct call *c = link_owner(l, struct call, link);
        if (call_attempts(c) + c->retry_due < call_attempts(best) + best->retry_due)
            best = c;
    }
    return best;
}

/* When the first call goes, which might at `when`: a pause that is a guess is not worth its deadline, before which it asks once more. */
static int64_t before_deadline(const struct queue *n, int64_t when) {
    const struct call *first = link_owner(n->waiting.next, struct call, link);
    if (!first->limit.armed || when != n->throttle.own)
        return when;
    int64_t late = first->limit.when - NS_PER_SECOND / 10 - 4 * throttle_latency(&n->throttle);
    return late < when && late > throttle_told(&n->throttle) ? late : when;
}

/* How many more calls may be in flight. A call that hangs, a second and many times longer than others take, tells nothing of
 * the service's load and does not count: else a lowered limit would wait for it. Where none may, this looks again when the
 * oldest that counts begins to hang. */
static int room(struct queue *n) {
    int limit = queue_limit(n), most = n->throttle.config.max_in_flight, counted = n->sent;
    if (n->sent < limit || n->sent >= most || n->failures >= limit)
        return limit - n->sent;
    int64_t now = timer_now(), patience = NS_PER_SECOND + 8 * throttle_latency(&n->throttle);
    for (struct link *l = n->in_flight.next; l != &n->in_flight; l = l->next) {
        int64_t hangs = link_owner(l, struct call, link)->started + patience;
        if (hangs > now) {
            if (!n->timer.armed || n->timer.when > hangs)
                loop_timer_arm(n->loop, &n->timer, hangs);
            break;
        }
        counted--;
    }
    return limit - counted < most - n->sent ? limit - counted : most - n->sent;
}

void queue_dispatch(struct queue *n) {
    if (n->closed)
        return;
    int count;
    while (!link_alone(&n->waiting) && (count = room(n)) > 0) {
        int64_t now = timer_now(), next = throttle_next(&n->throttle, now);
        if (n->throttle.held - now > timer_span(n->retry.max_wait)) {
            give_up(n, n->throttle.held - now);
            break;
        }
        if (n->paused_until > next)
            next = n->paused_until;
        next = before_deadline(n, next);
        if (next > now)
            go_on_at(n, next, now);
        if (next > now && next == n->throttle.fixed_next) /* the client's own rate: no deadline runs yet */
            return;
        if (next > now || !token_ready(n) || !permit_ready(n)) {
            begin_deadlines(n, throttle_told(&n->throttle), count);
            break;
        }
        throttle_started(&n->throttle, now);
        n->permits -= n->limited;
        call_send(next_call(n), now);
    }
    if (link_alone(&n->waiting)) /* nobody left to go on for */
        loop_timer_drop(n->loop, &n->timer);
}
