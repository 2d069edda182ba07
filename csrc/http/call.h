/* A call: one request of the API with all its attempts, and the queue in which a client's calls stand.
 *
 * A call is embedded in, and owned by, what asked for it (a request, a slot of a walk). It is linked into its client's
 * line without being owned by it: call_drop takes it out, queue_close lets go of all of them. Whichever of call, client and
 * loop ends first, the others find a NULL or an empty link.
 */
#ifndef CALIRA_CALL_H
#define CALIRA_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/wait.h"
#include "http/retry.h"
#include "http/transfer.h"
#include "http/url.h"

/* How many retries a walk may still make: each page that comes adds some, so that a server which fails often is walked to
 * the end, and a wide window on one that fails all the time does not ask it hundreds of times. No less than the retries
 * of one call may be. */
struct budget {
    double left;
};
#define BUDGET_START 100.0
#define BUDGET_PER_ANSWER 1.0

enum token_state { TOKEN_READY, TOKEN_WANTED, TOKEN_ASKED };

/* What a client's calls share: the queue, its limits, the token. Part of struct client. */
struct queue {
    struct loop *loop;
    const struct settings *settings; /* borrowed from the client */
    struct retry_policy retry;
    double deadline, rate; /* seconds a call may take in all, calls a second; 0: no bound */
    int max_in_flight;
    struct link waiting;   /* calls to send, in the order asked */
    struct link in_flight; /* calls on the wire */
    struct link delayed;   /* calls that wait for their next attempt */
    struct timer throttle; /* when the queue may move again: pause or rate */
    int64_t paused_until, next_start;
    struct cond activity; /* signalled when any call ends */
    uint64_t random;      /* state of the jitter */
    size_t base_size;     /* of the base URL: what follows it in a call's address is told in traces */
    bool https, loopback, closed;

    char *token;           /* owned; NULL: none yet */
    char *token_before;    /* owned; the one it replaced, which late answers may echo */
    unsigned token_serial; /* counts tokens, so that a late 401 is not taken for the new one's */
    int64_t token_expires; /* when to ask for another: monotonic ns; -1: not known */
    bool token_unused;     /* no call went with it yet */
    bool token_from_lua;   /* a function gives it, and can give another */
    bool token_rejected;   /* the one in hand was answered by 401 */
    enum token_state token_state;
    struct notifier notifiers; /* told when a token is wanted or there are events to tell */

    struct trace *trace; /* owned; NULL: nobody listens */
    struct {
        int64_t calls, retries, refreshes, bytes, connections;
        double waited;
    } stats;
};

struct call {
    struct link link;    /* in one of the queue's lists, or alone */
    struct queue *queue; /* NULL: not asked, over, or the client has gone */
    struct transfer transfer;
    struct timer rest, limit; /* the next attempt; the end of patience */
    struct cond *ended;       /* borrowed from the owner: signalled when the call is over */
    struct budget *budget;    /* borrowed from the owner; NULL: none */
    char *url, *path, *form;  /* owned: where to, what messages call it, the body of a POST or NULL */
    enum outcome outcome;     /* OUTCOME_NONE: not over */
    int retries, resent;      /* attempts after the first; attempts with another token */
    bool retry_due;           /* its next attempt is a retry */
    unsigned token_serial;
    double retry_after; /* seconds; -1: not said */
    int64_t asked, ended_at;
};

void queue_init(struct queue *n, struct loop *lp, const struct settings *settings);

/* Gives up every call of the queue, as OUTCOME_CLOSED. Idempotent. */
void queue_close(struct queue *n);

/* Calls on the wire. */
int queue_in_flight(const struct queue *n);

/* Starts what may start. */
void queue_dispatch(struct queue *n);

/* A new token (copied): parked calls go. expires_in: seconds, negative: not known. False: out of memory. */
bool queue_token(struct queue *n, const char *token, double expires_in);

/* No token could be had: what waits for one ends as OUTCOME_TOKEN. */
void queue_token_failed(struct queue *n);

void call_init(struct call *c, struct cond *ended, struct budget *budget);

/* Asks for c->url, which the owner has set (by curl's allocator; path and form: by malloc). Told of through c->ended. The
 * line must not be closed. */
void call_ask(struct call *c, struct queue *n);

/* Ends a call that is under way, as `outcome`; no-op on one that is over. */
void call_end(struct call *c, enum outcome outcome);

/* Frees everything, cancelling what is under way. Idempotent; the call may be asked anew. */
void call_drop(struct call *c);

static inline bool call_over(const struct call *c) {
    return c->outcome != OUTCOME_NONE;
}

/* Whether it ended with the answer it asked for. */
static inline bool call_good(const struct call *c) {
    return c->outcome == OUTCOME_ANSWER && c->transfer.status >= 200 && c->transfer.status < 300;
}

static inline int call_attempts(const struct call *c) {
    return c->retries + 1;
}

#endif
