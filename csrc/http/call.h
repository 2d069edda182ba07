/* A call: one request of the API with all its attempts.
 *
 * Embedded in, and owned by, what asked for it (a request, a slot of a walk's pages). It is linked into its client's queue
 * without being owned by it. Whichever of call, client and loop ends first, the others find a NULL or an empty link.
 */
#ifndef CALIRA_CALL_H
#define CALIRA_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "http/queue.h"
#include "http/transfer.h"

struct call {
    struct link link;    /* in one of the queue's lists, or alone */
    struct queue *queue; /* NULL: not asked, over, or the client has gone */
    struct transfer transfer;
    struct timer delay, limit; /* the next attempt; the deadline, armed once the client's own limits let the call go */
    struct cond *ended;        /* borrowed from the owner: signalled when the call is over */
    char *url, *form;          /* owned: where to, the body of a POST or NULL */
    enum outcome outcome;      /* OUTCOME_NONE: not over */
    int retries, resent;       /* attempts after the first; attempts with another token */
    int cuts;                  /* answers that came whole and held JSON cut short */
    bool retry_due;            /* its next attempt is a retry */
    bool last;                 /* and the last one, for which no other call's may take its turn */
    bool sent;                 /* it was sent once */
    unsigned token_serial;
    double retry_after; /* seconds that the latest answer asks for; -1: not said */
    int sent_with;      /* calls in flight just after it was sent, itself included */
    int64_t asked, started, ended_at;
};

void call_init(struct call *c, struct cond *ended);

/* Asks for c->url, which the owner has set (by curl's allocator; form: by malloc). Told of through c->ended. The queue must
 * not be closed. */
void call_ask(struct call *c, struct queue *n);

/* Asks a call that is over again, as a retry, since its JSON was cut short. False: that was done often enough, or the queue
 * is closed, and nothing has changed. */
bool call_ask_again(struct call *c, struct queue *n);

/* Ends a call that is under way, as `outcome`; no-op on one that is over. */
void call_end(struct call *c, enum outcome outcome);

/* Frees everything, cancelling what is under way. Idempotent; the call may be asked anew. */
void call_drop(struct call *c);

/* For the queue: starts an attempt; takes the call out of its list. `now`: as told to the throttle. */
void call_send(struct call *c, int64_t now);

/* For the queue: the client's own limits would let the call go; its deadline begins. */
void call_begin_deadline(struct call *c);

static inline bool call_over(const struct call *c) {
    return c->outcome != OUTCOME_NONE;
}

/* Whether it ended with the answer it asked for. */
static inline bool call_good(const struct call *c) {
    return c->outcome == OUTCOME_ANSWER && c->transfer.reply.status >= 200 && c->transfer.reply.status < 300;
}

static inline int call_attempts(const struct call *c) {
    return c->retries + 1;
}

#endif
