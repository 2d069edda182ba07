/* How many calls may be in flight and how fast they may start: policy alone, no clock, no I/O, no allocation. Embedded in
 * a client's queue, which tells it what happens and asks it before it starts a call. Times are monotonic nanoseconds.
 */
#ifndef CALIRA_THROTTLE_H
#define CALIRA_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle_config {
    int max_in_flight; /* at least 1 */
    double rate;       /* calls a second at the most; 0: no bound */
    double max_wait;   /* seconds: a reset that is further away is not waited for */
    bool adaptive;     /* false: only the two fixed limits, and Retry-After */
};

enum throttle_kind {
    THROTTLE_OK,         /* an answer with what was asked for: its latency counts */
    THROTTLE_REFUSED,    /* 429 */
    THROTTLE_OVERLOADED, /* 503, a timeout, a connection that was reset */
    THROTTLE_OTHER       /* any other answer: the limiter let it through, but its latency says nothing */
};

struct throttle_event {
    int64_t now, started; /* when the attempt ended; the time given to throttle_started for it */
    int64_t latency;      /* ns from the request sent to the first byte of the answer */
    enum throttle_kind kind;
    double retry_after; /* seconds; negative: not said */
    int in_flight;      /* calls in flight just after it was sent, itself included */
};

/* What the rate limit fields of an answer say (headers_rate_limit); -1: unknown. */
struct ratelimit {
    int64_t limit, remaining; /* calls in a window, calls left of it */
    double reset, window;     /* seconds until the quota is restored; seconds of a window */
};

enum { THROTTLE_SAMPLES = 32, THROTTLE_MARKS = 128 };

enum throttle_phase { THROTTLE_START, THROTTLE_SECOND, THROTTLE_STEADY, THROTTLE_PROBE };

/* The fields are throttle.c's own. */
struct throttle {
    struct throttle_config config;
    int64_t fixed_next; /* by config.rate */
    int64_t held;       /* no start before: Retry-After */

    /* calls in flight */
    enum throttle_phase phase;
    int limit, started;
    int64_t since;                    /* calls started before it went under another limit */
    int64_t cut;                      /* the last time a fault lowered the limit */
    double base;                      /* latency without a line at the service, in ns; 0: not known */
    double first, second, alone;             /* the smallest latencies of the start */
    double sample[THROTTLE_SAMPLES];  /* latencies under this limit, sorted */
    double low_sum, high_sum; int low_count, high_count, suspicion;
    int peak;
    int count;                        /* of samples */
    int rest, patience;               /* samples until the next probe is allowed; how many after the next vain one */
    double before, in_flight_before;  /* mean latency and calls in flight before the probe */
    int limit_before;
    bool clipped;

    /* calls a second */
    double rate; /* 0: none learnt */
    double tokens, burst; /* calls that may start now, and the most that may be saved up; where a rate is learnt */
    int64_t filled;       /* when tokens was brought up to date */
    int64_t from, to;     /* the span that ended with the latest refusal */
    double accepted;      /* calls in it */
    int refusals;         /* spans that ended so: 0, 1, many */
    double capacity;      /* calls accepted in the first span: the service's bucket, about */
    int64_t opened;       /* the span under way */
    double running;       /* calls accepted in it */
    double grown, first_accepted, first_span;
    bool known;
    int64_t sent;
    int64_t mark[THROTTLE_MARKS]; int marks;

    /* the service's own word */
    double left; /* calls that may start before `resets`; where that is in the future */
    int64_t resets;
};

void throttle_init(struct throttle *t, const struct throttle_config *config);

/* Calls that may be in flight now: 1 to max_in_flight. */
int throttle_limit(const struct throttle *t);

/* The earliest time at which the next call may start; not after `now`: at once. */
int64_t throttle_next(struct throttle *t, int64_t now);

/* A call was sent. */
void throttle_started(struct throttle *t, int64_t now);

/* An attempt is over. Not for one that was cancelled. */
void throttle_ended(struct throttle *t, const struct throttle_event *e);

/* What an answer said of its limits; in_flight: calls still on the wire, without the one answered. */
void throttle_headers(struct throttle *t, int64_t now, const struct ratelimit *r, int in_flight);

/* Calls a second that were learnt; 0: none. */
double throttle_rate(const struct throttle *t);

#endif
