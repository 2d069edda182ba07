#include "http/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/trace.h"

enum { MOST_RESENT = 2 };
static const double AHEAD_OF_EXPIRY = 60; /* seconds; of a token that lasts less than twice that, half its life */

static void on_over(struct transfer *t);
static void on_delay_over(struct timer *t);
static void on_limit(struct timer *t);
static void on_throttle(struct timer *t);

/* ---- calls ---- */

void call_init(struct call *c, struct cond *ended, struct budget *budget) {
    *c = (struct call){
        .ended = ended,
        .budget = budget,
        .rest = {.fire = on_delay_over},
        .limit = {.fire = on_limit},
        .retry_after = -1,
    };
    link_init(&c->link);
    transfer_init(&c->transfer, on_over);
}

static void drop_timers(struct call *c) {
    loop_timer_drop(c->queue->loop, &c->rest);
    loop_timer_drop(c->queue->loop, &c->limit);
}

/* Takes the call out of the queue's lists. */
static void leave(struct call *c) {
    if (c->transfer.loop && c->outcome == OUTCOME_NONE)
        transfer_stop(&c->transfer);
    link_drop(&c->link);
}

void call_end(struct call *c, enum outcome outcome) {
    struct queue *n = c->queue;
    if (!n)
        return;
    drop_timers(c);
    leave(c);
    c->queue = NULL;
    c->outcome = outcome;
    c->ended_at = timer_now();
    cond_signal(c->ended);
    cond_signal(&n->activity);
}

void call_drop(struct call *c) {
    if (c->queue) {
        struct queue *n = c->queue;
        bool attached = c->transfer.loop && !link_alone(&c->link);
        drop_timers(c);
        leave(c);
        c->queue = NULL;
        if (attached)
            queue_dispatch(n);
    }
    transfer_free(&c->transfer);
    curl_free(c->url);
    free(c->path);
    free(c->form);
    struct cond *ended = c->ended;
    struct budget *budget = c->budget;
    call_init(c, ended, budget);
}

void call_ask(struct call *c, struct queue *n) {
    c->queue = n;
    c->asked = timer_now();
    link_put(&n->waiting, &c->link);
    if (n->deadline > 0)
        loop_timer_arm(n->loop, &c->limit, c->asked + timer_span(n->deadline));
    queue_dispatch(n);
}

static void on_limit(struct timer *t) {
    struct call *c = link_owner(t, struct call, limit);
    struct queue *n = c->queue;
    call_end(c, OUTCOME_DEADLINE);
    queue_dispatch(n);
}

/* ---- the queue ---- */

void queue_init(struct queue *n, struct loop *lp, const struct settings *settings) {
    *n = (struct queue){.loop = lp, .settings = settings, .throttle = {.fire = on_throttle}, .token_expires = -1};
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

void queue_close(struct queue *n) {
    struct link *lists[] = {&n->waiting, &n->in_flight, &n->delayed};
    if (!n->loop)
        return;
    n->closed = true;
    loop_timer_drop(n->loop, &n->throttle);
    for (int i = 0; i < 3; i++)
        while (!link_alone(lists[i]))
            call_end(link_owner(lists[i]->next, struct call, link), OUTCOME_CLOSED);
    forget(&n->token);
    forget(&n->token_before);
}

/* A number in [0, 1): xorshift64* (Vigna, 2016). Good enough to spread retries. */
static double random_unit(struct queue *n) {
    uint64_t x = n->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    n->random = x;
    return (double)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 11) / 9007199254740992.0;
}

/* Asks for notifiers, so that Lua is told between turns. */
static void request_notify(struct queue *n) {
    if (link_alone(&n->notifiers.link))
        link_put(&n->loop->notifiers, &n->notifiers.link);
}

/* Records an event of a call, or of the queue where c is NULL. */
static void record(struct queue *n, const struct call *c, const char *event, double seconds, const char *message) {
    if (!n->trace)
        return;
    struct trace_event e = {.event = event, .seconds = seconds, .message = message};
    if (c) {
        e.path = strlen(c->url) > n->base_size ? c->url + n->base_size : c->url;
        e.attempt = call_attempts(c);
        e.status = c->transfer.status;
    }
    trace_record(n->trace, &e);
    request_notify(n);
}

static void want_token(struct queue *n, bool rejected) {
    n->token_rejected = rejected;
    if (n->token_state != TOKEN_READY)
        return;
    n->token_state = TOKEN_WANTED;
    request_notify(n);
}

/* Whether a call can be sent with the token at hand; asks for one where it cannot. */
static bool token_ready(struct queue *n) {
    if (!n->token_from_lua)
        return true;
    if (n->token_state != TOKEN_READY)
        return false;
    bool stale = n->token_expires >= 0 && timer_now() > n->token_expires;
    if (n->token && (!stale || n->token_unused)) /* one that is born stale serves a call, else none would ever go */
        return true;
    want_token(n, false);
    return false;
}

static void send_call(struct queue *n, struct call *c) {
    const struct exchange e = {
        .url = c->url,
        .token = n->token,
        .form = c->form,
        .https = n->https,
        .loopback = n->loopback,
        .settings = n->settings,
    };
    link_drop(&c->link);
    link_put(&n->in_flight, &c->link);
    c->token_serial = n->token_serial;
    n->token_unused = false;
    if (c->retry_due) {
        c->retry_due = false;
        c->retries++;
        n->stats.retries++;
    }
    n->stats.calls++;
    transfer_start(&c->transfer, n->loop, &e);
    record(n, c, "request", -1, NULL);
}

/* Counts a wait for a limit: of this queue's rate, or of the server's. */
static void count_wait(struct queue *n, int64_t ns) {
    double seconds = (double)ns / (double)NS_PER_SECOND;
    n->stats.waited += seconds;
    record(n, NULL, "wait", seconds, NULL);
}

/* Lets no call go before `when`: one that is refused for a limit speaks for all. */
static void pause_queue(struct queue *n, int64_t when, int64_t now) {
    if (when <= n->paused_until)
        return;
    count_wait(n, when - (n->paused_until > now ? n->paused_until : now));
    n->paused_until = when + 1; /* after the call itself is back in the queue, so that it goes first */
}

/* Holds the queue until `when`. */
static void throttle_until(struct queue *n, int64_t when, int64_t now) {
    if (n->throttle.armed && n->throttle.when <= when)
        return;
    loop_timer_arm(n->loop, &n->throttle, when);
    if (when > n->paused_until)
        count_wait(n, when - (n->paused_until > now ? n->paused_until : now));
}

int queue_in_flight(const struct queue *n) {
    int count = 0;
    for (const struct link *l = n->in_flight.next; l != &n->in_flight; l = l->next)
        count++;
    return count;
}

/* Sends the call again before those that were asked later. */
static void requeue(struct queue *n, struct call *c) {
    struct link *at = n->waiting.next;
    while (at != &n->waiting && link_owner(at, struct call, link)->asked <= c->asked)
        at = at->next;
    link_drop(&c->link);
    link_put(at, &c->link);
}

/* Puts the calls whose rest is over back, before others go: their timers may fire in the same turn, but later. */
static void requeue_due(struct queue *n) {
    int64_t now = timer_now();
    for (struct link *l = n->delayed.next, *next; l != &n->delayed; l = next) {
        struct call *c = link_owner(l, struct call, link);
        next = l->next;
        if (c->rest.when > now)
            continue;
        loop_timer_drop(n->loop, &c->rest);
        requeue(n, c);
    }
}

void queue_dispatch(struct queue *n) {
    if (n->closed)
        return;
    requeue_due(n);
    int in_flight = queue_in_flight(n);
    while (!link_alone(&n->waiting) && in_flight < n->max_in_flight && token_ready(n)) {
        int64_t now = timer_now();
        int64_t when = n->paused_until > n->next_start ? n->paused_until : n->next_start;
        if (when > now) {
            throttle_until(n, when, now);
            return;
        }
        if (n->rate > 0)
            n->next_start = now + (int64_t)((double)NS_PER_SECOND / n->rate);
        in_flight++;
        send_call(n, link_owner(n->waiting.next, struct call, link));
    }
}

static void on_throttle(struct timer *t) {
    queue_dispatch(link_owner(t, struct queue, throttle));
}

bool queue_token(struct queue *n, const char *token, double expires_in) {
    char *copy = strdup(token);
    if (!copy)
        return false;
    forget(&n->token_before);
    n->token_before = n->token;
    n->token = copy;
    n->token_serial++;
    n->token_rejected = false;
    n->token_state = TOKEN_READY;
    double ahead = expires_in < 2 * AHEAD_OF_EXPIRY ? expires_in / 2 : AHEAD_OF_EXPIRY;
    n->token_expires = expires_in < 0 ? -1 : timer_now() + timer_span(expires_in - ahead);
    n->token_unused = true;
    queue_dispatch(n);
    return true;
}

void queue_token_failed(struct queue *n) {
    n->token_state = TOKEN_READY;
    forget(&n->token_before);
    n->token_before = n->token;
    n->token = NULL;
    struct link failed;
    link_init(&failed);
    link_move(&failed, &n->waiting);
    while (!link_alone(&failed))
        call_end(link_owner(failed.next, struct call, link), OUTCOME_TOKEN);
}

/* ---- what an attempt brought ---- */

static void on_delay_over(struct timer *t) {
    queue_dispatch(link_owner(t, struct call, rest)->queue);
}

/* A 401 of a token that Lua can replace: the call is parked until there is another one. One refresh, however many calls
 * meet the 401; a late one, for a token replaced meanwhile, is just sent again. */
static bool await_token(struct queue *n, struct call *c) {
    if (c->outcome != OUTCOME_ANSWER || c->transfer.status != 401 || !n->token_from_lua || c->resent >= MOST_RESENT)
        return false;
    c->resent++;
    c->outcome = OUTCOME_NONE;
    if (c->token_serial == n->token_serial)
        want_token(n, true);
    requeue(n, c);
    return true;
}

static bool passing(const struct call *c) {
    return c->outcome == OUTCOME_NETWORK || c->outcome == OUTCOME_TIMEOUT ||
           (c->outcome == OUTCOME_ANSWER && retry_status(c->transfer.status));
}

/* Whether the call is to be tried again, and if so lets it rest until then. */
static bool rest(struct queue *n, struct call *c) {
    long status = c->outcome == OUTCOME_ANSWER ? c->transfer.status : 0;
    if (status >= 400)
        c->retry_after = headers_retry_after(&c->transfer.headers, (int64_t)time(NULL));
    struct retry_case now = {passing(c), c->retries, c->retry_after, random_unit(n)};
    if (c->budget && c->budget->left < 1)
        now.made = n->retry.retries;
    double delay = retry_delay(&n->retry, &now);
    if (delay < 0)
        return false;
    if (c->budget)
        c->budget->left -= 1;
    record(n, c, "retry", delay, NULL);
    int64_t from = timer_now(), when = from + timer_span(delay);
    if (status == 429 || status == 503) /* one that is refused for a limit, or an overload, speaks for all */
        pause_queue(n, when, from);
    c->retry_due = true;
    c->outcome = OUTCOME_NONE;
    link_drop(&c->link);
    link_put(&n->delayed, &c->link);
    loop_timer_arm(n->loop, &c->rest, when);
    return true;
}

static void on_over(struct transfer *t) {
    struct call *c = link_owner(t, struct call, transfer);
    struct queue *n = c->queue;
    c->outcome = t->outcome;
    c->retry_after = -1;
    n->stats.connections += t->connects;
    n->stats.bytes += (int64_t)t->body.size;
    record(n, c, "response", (double)(timer_now() - c->asked) / (double)NS_PER_SECOND,
           t->outcome == OUTCOME_ANSWER ? NULL : t->message);
    if (!await_token(n, c) && !rest(n, c)) {
        if (c->budget && call_good(c))
            c->budget->left += BUDGET_PER_ANSWER;
        call_end(c, c->outcome);
    }
    queue_dispatch(n);
}
