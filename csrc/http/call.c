#include "http/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/trace.h"

enum { MOST_RESENT = 2 };
static const double AHEAD_OF_EXPIRY = 60; /* seconds; of a token that lasts less than twice that, half its life */

static void on_over(struct transfer *t);
static void on_rested(struct timer *t);
static void on_limit(struct timer *t);
static void on_gate(struct timer *t);

/* ---- calls ---- */

void call_init(struct call *c, struct cond *ended, struct budget *budget) {
    *c = (struct call){
        .ended = ended,
        .budget = budget,
        .rest = {.fire = on_rested},
        .limit = {.fire = on_limit},
        .retry_after = -1,
    };
    link_init(&c->link);
    transfer_init(&c->transfer, on_over);
}

static void drop_timers(struct call *c) {
    loop_timer_drop(c->line->loop, &c->rest);
    loop_timer_drop(c->line->loop, &c->limit);
}

/* Takes the call out of the line's lists. */
static void leave(struct call *c) {
    if (c->transfer.loop && c->outcome == OUTCOME_NONE)
        transfer_stop(&c->transfer);
    link_drop(&c->link);
}

void call_end(struct call *c, enum outcome outcome) {
    struct line *n = c->line;
    if (!n)
        return;
    drop_timers(c);
    leave(c);
    c->line = NULL;
    c->outcome = outcome;
    c->ended_at = timer_now();
    cond_signal(c->ended);
    cond_signal(&n->activity);
}

void call_drop(struct call *c) {
    if (c->line) {
        struct line *n = c->line;
        bool flew = c->transfer.loop && !link_alone(&c->link);
        drop_timers(c);
        leave(c);
        c->line = NULL;
        if (flew)
            line_move(n);
    }
    transfer_free(&c->transfer);
    curl_free(c->url);
    free(c->path);
    free(c->form);
    struct cond *ended = c->ended;
    struct budget *budget = c->budget;
    call_init(c, ended, budget);
}

void call_ask(struct call *c, struct line *n) {
    c->line = n;
    c->asked = timer_now();
    link_put(&n->waiting, &c->link);
    if (n->deadline > 0)
        loop_timer_arm(n->loop, &c->limit, c->asked + timer_span(n->deadline));
    line_move(n);
}

static void on_limit(struct timer *t) {
    struct call *c = link_owner(t, struct call, limit);
    struct line *n = c->line;
    call_end(c, OUTCOME_DEADLINE);
    line_move(n);
}

/* ---- the line ---- */

void line_init(struct line *n, struct loop *lp, const struct settings *settings) {
    *n = (struct line){.loop = lp, .settings = settings, .gate = {.fire = on_gate}, .token_expires = -1};
    link_init(&n->waiting);
    link_init(&n->flying);
    link_init(&n->resting);
    link_init(&n->attention.link);
    cond_init(&n->activity);
    n->random = (uint64_t)timer_now() ^ (uint64_t)(uintptr_t)n ^ UINT64_C(0x9E3779B97F4A7C15);
}

static void forget(char **secret) {
    if (*secret)
        memset(*secret, 0, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void line_close(struct line *n) {
    struct link *lists[] = {&n->waiting, &n->flying, &n->resting};
    if (!n->loop)
        return;
    n->closed = true;
    loop_timer_drop(n->loop, &n->gate);
    for (int i = 0; i < 3; i++)
        while (!link_alone(lists[i]))
            call_end(link_owner(lists[i]->next, struct call, link), OUTCOME_CLOSED);
    forget(&n->token);
    forget(&n->token_before);
}

/* A number in [0, 1): xorshift64* (Vigna, 2016). Good enough to spread retries. */
static double dice(struct line *n) {
    uint64_t x = n->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    n->random = x;
    return (double)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 11) / 9007199254740992.0;
}

/* Asks for attention, so that Lua is told between turns. */
static void call_attention(struct line *n) {
    if (link_alone(&n->attention.link))
        link_put(&n->loop->attention, &n->attention.link);
}

/* Records an event of a call, or of the line where c is NULL. */
static void record(struct line *n, const struct call *c, const char *event, double seconds, const char *message) {
    if (!n->trace)
        return;
    struct trace_event e = {.event = event, .seconds = seconds, .message = message};
    if (c) {
        e.path = strlen(c->url) > n->base_size ? c->url + n->base_size : c->url;
        e.attempt = call_attempts(c);
        e.status = c->transfer.status;
    }
    trace_record(n->trace, &e);
    call_attention(n);
}

static void want_token(struct line *n, bool rejected) {
    n->token_rejected = rejected;
    if (n->token_state != TOKEN_READY)
        return;
    n->token_state = TOKEN_WANTED;
    call_attention(n);
}

/* Whether a call can be sent with the token at hand; asks for one where it cannot. */
static bool token_ready(struct line *n) {
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

static void send_call(struct line *n, struct call *c) {
    const struct exchange e = {
        .url = c->url,
        .token = n->token,
        .form = c->form,
        .https = n->https,
        .loopback = n->loopback,
        .settings = n->settings,
    };
    link_drop(&c->link);
    link_put(&n->flying, &c->link);
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

/* Counts a wait for a limit: of this line's rate, or of the server's. */
static void count_wait(struct line *n, int64_t ns) {
    double seconds = (double)ns / (double)NS_PER_SECOND;
    n->stats.waited += seconds;
    record(n, NULL, "wait", seconds, NULL);
}

/* Lets no call go before `when`: one that is refused for a limit speaks for all. */
static void pause_line(struct line *n, int64_t when, int64_t now) {
    if (when <= n->paused_until)
        return;
    count_wait(n, when - (n->paused_until > now ? n->paused_until : now));
    n->paused_until = when + 1; /* after the call itself is back in the line, so that it goes first */
}

/* Holds the line until `when`. */
static void hold(struct line *n, int64_t when, int64_t now) {
    if (n->gate.armed && n->gate.when <= when)
        return;
    loop_timer_arm(n->loop, &n->gate, when);
    if (when > n->paused_until)
        count_wait(n, when - (n->paused_until > now ? n->paused_until : now));
}

int line_in_flight(const struct line *n) {
    int count = 0;
    for (const struct link *l = n->flying.next; l != &n->flying; l = l->next)
        count++;
    return count;
}

/* Sends the call again before those that were asked later. */
static void again(struct line *n, struct call *c) {
    struct link *at = n->waiting.next;
    while (at != &n->waiting && link_owner(at, struct call, link)->asked <= c->asked)
        at = at->next;
    link_drop(&c->link);
    link_put(at, &c->link);
}

/* Puts the calls whose rest is over back, before others go: their timers may fire in the same turn, but later. */
static void wake_rested(struct line *n) {
    int64_t now = timer_now();
    for (struct link *l = n->resting.next, *next; l != &n->resting; l = next) {
        struct call *c = link_owner(l, struct call, link);
        next = l->next;
        if (c->rest.when > now)
            continue;
        loop_timer_drop(n->loop, &c->rest);
        again(n, c);
    }
}

void line_move(struct line *n) {
    if (n->closed)
        return;
    wake_rested(n);
    int in_flight = line_in_flight(n);
    while (!link_alone(&n->waiting) && in_flight < n->max_in_flight && token_ready(n)) {
        int64_t now = timer_now();
        int64_t when = n->paused_until > n->next_start ? n->paused_until : n->next_start;
        if (when > now) {
            hold(n, when, now);
            return;
        }
        if (n->rate > 0)
            n->next_start = now + (int64_t)((double)NS_PER_SECOND / n->rate);
        in_flight++;
        send_call(n, link_owner(n->waiting.next, struct call, link));
    }
}

static void on_gate(struct timer *t) {
    line_move(link_owner(t, struct line, gate));
}

bool line_token(struct line *n, const char *token, double expires_in) {
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
    line_move(n);
    return true;
}

void line_token_failed(struct line *n) {
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

static void on_rested(struct timer *t) {
    line_move(link_owner(t, struct call, rest)->line);
}

/* A 401 of a token that Lua can replace: the call is parked until there is another one. One refresh, however many calls
 * meet the 401; a late one, for a token replaced meanwhile, is just sent again. */
static bool park(struct line *n, struct call *c) {
    if (c->outcome != OUTCOME_ANSWER || c->transfer.status != 401 || !n->token_from_lua || c->resent >= MOST_RESENT)
        return false;
    c->resent++;
    c->outcome = OUTCOME_NONE;
    if (c->token_serial == n->token_serial)
        want_token(n, true);
    again(n, c);
    return true;
}

static bool passing(const struct call *c) {
    return c->outcome == OUTCOME_NETWORK || c->outcome == OUTCOME_TIMEOUT ||
           (c->outcome == OUTCOME_ANSWER && retry_status(c->transfer.status));
}

/* Whether the call is to be tried again, and if so lets it rest until then. */
static bool rest(struct line *n, struct call *c) {
    long status = c->outcome == OUTCOME_ANSWER ? c->transfer.status : 0;
    if (status >= 400)
        c->retry_after = headers_retry_after(&c->transfer.headers, (int64_t)time(NULL));
    struct retry_case now = {passing(c), c->retries, c->retry_after, dice(n)};
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
        pause_line(n, when, from);
    c->retry_due = true;
    c->outcome = OUTCOME_NONE;
    link_drop(&c->link);
    link_put(&n->resting, &c->link);
    loop_timer_arm(n->loop, &c->rest, when);
    return true;
}

static void on_over(struct transfer *t) {
    struct call *c = link_owner(t, struct call, transfer);
    struct line *n = c->line;
    c->outcome = t->outcome;
    c->retry_after = -1;
    n->stats.connections += t->connects;
    n->stats.bytes += (int64_t)t->body.size;
    record(n, c, "response", (double)(timer_now() - c->asked) / (double)NS_PER_SECOND,
           t->outcome == OUTCOME_ANSWER ? NULL : t->message);
    if (!park(n, c) && !rest(n, c)) {
        if (c->budget && call_good(c))
            c->budget->left += BUDGET_PER_ANSWER;
        call_end(c, c->outcome);
    }
    line_move(n);
}
