#include "http/call.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/numbers.h"

enum { MOST_RESENT = 2, MOST_RESENT_EXPIRED = 3, MOST_CUTS = 2 };

static void on_over(struct transfer *t);
static void on_delay_over(struct timer *t);
static void on_limit(struct timer *t);

void call_init(struct call *c, struct cond *ended) {
    *c = (struct call){
        .ended = ended,
        .delay = {.fire = on_delay_over},
        .limit = {.fire = on_limit},
        .retry_after = -1,
    };
    link_init(&c->link);
    transfer_init(&c->transfer, on_over);
}

/* Takes the call out of the queue's lists, and out of its count. */
static void leave_list(struct call *c) {
    if (c->transfer.loop && c->outcome == OUTCOME_NONE)
        transfer_stop(&c->transfer);
    if (c->sent)
        c->queue->sent--;
    c->sent = false;
    link_drop(&c->link);
}

/* Takes the call out of the queue for good. */
static void leave(struct call *c) {
    loop_timer_drop(c->queue->loop, &c->delay);
    loop_timer_drop(c->queue->loop, &c->limit);
    leave_list(c);
    c->queue = NULL;
}

void call_end(struct call *c, enum outcome outcome) {
    struct queue *n = c->queue;
    if (!n)
        return;
    leave(c);
    c->outcome = outcome;
    c->ended_at = timer_now();
    cond_signal(c->ended);
    queue_signal(n);
}

void call_drop(struct call *c) {
    struct queue *n = c->queue;
    if (n) {
        leave(c);
        queue_dispatch(n);
    }
    transfer_free(&c->transfer);
    curl_free(c->url);
    free(c->form);
    call_init(c, c->ended);
}

void call_ask(struct call *c, struct queue *n) {
    c->queue = n;
    c->asked = timer_now();
    if (link_alone(&n->waiting) && link_alone(&n->in_flight) && link_alone(&n->delayed))
        throttle_wanted(&n->throttle, c->asked);
    link_put(&n->waiting, &c->link);
    queue_dispatch(n);
}

bool call_ask_again(struct call *c, struct queue *n) {
    if (n->closed || c->cuts >= MOST_CUTS || c->retries >= n->retry.retries)
        return false;
    c->cuts++;
    c->queue = n;
    if (c->limit.when >
        c->ended_at) /* what was left of it when the answer came: how long that lay unread does not count */
        loop_timer_arm(n->loop, &c->limit, timer_now() + (c->limit.when - c->ended_at));
    c->outcome = OUTCOME_NONE;
    c->retry_due = true;
    queue_trace(n, c, "retry", 0, "the JSON of the answer was cut short");
    queue_put(n, c);
    queue_dispatch(n);
    return true;
}

void call_begin_deadline(struct call *c) {
    struct queue *n = c->queue;
    if (n->deadline > 0 && !c->limit.armed)
        loop_timer_arm(n->loop, &c->limit, timer_now() + timer_span(n->deadline));
}

static void on_limit(struct timer *t) {
    struct call *c = link_owner(t, struct call, limit);
    struct queue *n = c->queue;
    call_end(c, OUTCOME_DEADLINE);
    queue_dispatch(n);
}

void call_send(struct call *c, int64_t now) {
    struct queue *n = c->queue;
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
    c->sent = true;
    c->sent_with = ++n->sent;
    c->token_serial = n->token_serial;
    n->token_unused = false;
    if (c->retry_due) {
        c->retry_due = false;
        c->retries++;
        n->stats.retries++;
    }
    n->stats.calls++;
    c->started = now;
    call_begin_deadline(c);
    transfer_start(&c->transfer, n->loop, &e);
    queue_trace(n, c, "request", -1, NULL);
}

/* ---- what an attempt brought ---- */

static void on_delay_over(struct timer *t) {
    struct call *c = link_owner(t, struct call, delay);
    struct queue *n = c->queue;
    link_drop(&c->link);
    queue_put(n, c);
    if (c->last)
        queue_pause(n, timer_now() + timer_span(throttle_turn(&n->throttle)));
    c->last = false;
    queue_dispatch(n);
}

static long status_of(const struct call *c) {
    return c->outcome == OUTCOME_ANSWER ? c->transfer.reply.status : 0;
}

/* Whether a 401 says that the token was good once: then another may well be good. */
static bool says_expired(const struct call *c) {
    size_t size;
    const char *text = headers_find(&c->transfer.reply.headers, "www-authenticate", &size);
    return text && (memmem(text, size, "expired", 7) || memmem(text, size, "revoked", 7));
}

/* A 401 of a token that Lua can replace: the call waits until there is another one. One refresh, however many calls meet the
 * 401; a late one, for a token replaced meanwhile, is just sent again. */
static bool await_token(struct queue *n, struct call *c) {
    if (status_of(c) != 401 || !n->token_from_lua)
        return false;
    if (c->resent >= (says_expired(c) ? MOST_RESENT_EXPIRED : MOST_RESENT))
        return false;
    c->resent++;
    c->outcome = OUTCOME_NONE;
    if (c->token_serial == n->token_serial)
        queue_token_rejected(n);
    queue_put(n, c);
    return true;
}

/* Whether it failed for a reason that may pass. A POST whose answer was lost may have been carried out. */
static bool passing(const struct call *c) {
    if (c->outcome == OUTCOME_NETWORK || c->outcome == OUTCOME_TIMEOUT)
        return !c->form || !c->transfer.handle.connected;
    return retry_status(status_of(c));
}

/* Whether its next attempt is the last of several, and others might go before. */
static bool is_last_of_many(const struct queue *n, const struct call *c) {
    return c->retries > 1 && c->retries + 1 >= n->retry.retries && !link_alone(&n->waiting);
}

/* Whether the call is to be tried again, and if so puts it among the delayed until then. */
static bool retry(struct queue *n, struct call *c) {
    long status = status_of(c);
    struct retry_case attempt = {passing(c), c->retries, c->retry_after, queue_random(n)};
    double delay = retry_delay(&n->retry, &attempt);
    if (delay < 0)
        return false;
    bool learnt = status == 429 && n->throttle.config.adaptive;
    int64_t now = timer_now();
    double pause = learnt ? throttle_pause(&n->throttle, now) : 0;
    if (c->limit.armed) /* the queue lets it ask once more before that */
        pause = least(pause, seconds(now, c->limit.when) - 0.2);
    delay = most(delay, pause);
    int64_t when = now + timer_span(delay);
    if (c->retry_after >= 0 && c->limit.armed && c->limit.when < when) {
        c->outcome = OUTCOME_LIMITED;
        return false;
    }
    queue_trace(n, c, "retry", delay, NULL);
    /* one refused for a limit, or an overload, speaks for all; what follows a 429 the throttle knows better, if it may learn */
    if (status == 503 || (status == 429 && !learnt))
        queue_pause(n, when);
    c->last = learnt && is_last_of_many(n, c);
    c->retry_due = true;
    c->outcome = OUTCOME_NONE;
    link_put(&n->delayed, &c->link);
    loop_timer_arm(n->loop, &c->delay, when);
    return true;
}

static void on_over(struct transfer *t) {
    struct call *c = link_owner(t, struct call, transfer);
    struct queue *n = c->queue;
    c->outcome = t->reply.outcome;
    n->stats.connections += t->reply.connects;
    n->stats.bytes += (int64_t)t->reply.body.size;
    leave_list(c);
    c->retry_after = status_of(c) >= 400 ? headers_retry_after(&t->reply.headers, (int64_t)time(NULL)) : -1;
    queue_note(n, c, passing(c));
    queue_trace(n, c, "response", (double)(timer_now() - c->asked) / (double)NS_PER_SECOND,
                t->reply.outcome == OUTCOME_ANSWER ? NULL : t->reply.message);
    if (!await_token(n, c) && !retry(n, c))
        call_end(c, c->outcome);
    queue_dispatch(n);
}
