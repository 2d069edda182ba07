/* What the calls of a client share: the queue in which they stand, its limits, and the token. Part of struct client.
 *
 * Owns its tokens and its trace. Borrows calls: they are linked here and owned by whoever asked for them; call_drop takes
 * one out, queue_close lets go of all. Policy is elsewhere (retry.h, throttle.h); clocks and timers are here.
 */
#ifndef CALIRA_QUEUE_H
#define CALIRA_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/loop.h"
#include "engine/wait.h"
#include "http/retry.h"
#include "http/throttle.h"
#include "http/transfer.h"

struct call;

/* A token of Lua's: at hand or not needed, wanted, or being fetched by the Lua layer. The same for a limiter's permit. */
enum source_state { SOURCE_READY, SOURCE_WANTED, SOURCE_ASKED };

struct queue {
    struct loop *loop;
    const struct settings *settings; /* borrowed from the client */
    struct retry_policy retry;
    double deadline; /* seconds a call may take in all; 0: no bound */
    struct throttle throttle;
    struct link waiting;   /* calls to send, in the order asked */
    struct link in_flight; /* calls on the wire */
    struct link delayed;   /* calls that wait for their next attempt */
    int sent;              /* how many are in flight */
    int failures;          /* attempts in a row that failed for a reason that may pass */
    struct timer timer;    /* when the queue may go on */
    int64_t paused_until;
    int64_t counted_until; /* waiting is in the stats up to here */
    struct cond activity;  /* signalled when any call ends, or a walk is closed */
    uint64_t ended;        /* counts these */
    uint64_t random;       /* state of the jitter */
    size_t base_size;      /* of the base URL: what follows it in a call's address is told in traces */
    bool https, loopback, closed;

    char *token;           /* owned; NULL: none yet */
    unsigned token_serial; /* counts tokens, so that a late 401 is not taken for the new one's */
    int64_t token_expires; /* when to ask for another: monotonic ns; -1: not known */
    bool token_unused;     /* no call went with it yet */
    bool token_from_lua;   /* a function gives it, and can give another */
    bool token_rejected;   /* the one in hand was answered by 401 */
    enum source_state token_state;
    bool limited; /* a function of the user's is asked before each call */
    int permits;  /* calls that it allows */
    enum source_state permit_state;
    struct notifier notifiers; /* told when a token or a permit is wanted or there are events to tell */

    struct trace *trace; /* owned; NULL: nobody listens */
    struct {
        int64_t calls, retries, refreshes, bytes, connections;
        double waited; /* up to counted_until */
    } stats;
};

void queue_init(struct queue *n, struct loop *lp, const struct settings *settings);

/* Calls that may be in flight now. */
int queue_limit(const struct queue *n);

/* Calls a second at the most, as the user says or as was learnt; 0: no bound. */
double queue_rate(const struct queue *n);

/* Seconds waited for limits so far. */
double queue_waited(const struct queue *n);

/* Gives up every call, as OUTCOME_CLOSED. Idempotent. */
void queue_close(struct queue *n);

/* Tells those who wait for any call of the client. */
void queue_signal(struct queue *n);

/* Sends what may be sent. */
void queue_dispatch(struct queue *n);

/* Puts a call that is in no list before those that were asked later. */
void queue_put(struct queue *n, struct call *c);

/* Sets no call free before `when`: one that is refused for a limit speaks for all. */
void queue_pause(struct queue *n, int64_t when);

/* What an attempt that is over came to, for the limits. `passing`: it failed for a reason that may pass. */
void queue_note(struct queue *n, const struct call *c, bool passing);

/* A new token (copied): calls that wait for one go. expires_in: seconds, negative: not known. False: out of memory. */
bool queue_token(struct queue *n, const char *token, double expires_in);

/* No token, or no permit, could be had: what waits ends as OUTCOME_TOKEN. */
void queue_token_failed(struct queue *n);

/* The token in hand was answered by 401. */
void queue_token_rejected(struct queue *n);

/* The limiter allows one more call. */
void queue_permit(struct queue *n);

/* A number in [0, 1), to spread retries. */
double queue_random(struct queue *n);

/* Records an event of a call, or of the queue where c is NULL, for the trace. */
void queue_trace(struct queue *n, const struct call *c, const char *event, double seconds, const char *message);

#endif
