/* How many calls may be in flight and how fast they may start: policy alone, no clock, no I/O, no allocation. Embedded in
 * a client's queue, which tells it what happens and asks it before a call starts. Times are monotonic nanoseconds.
 */
#ifndef CALIRA_THROTTLE_H
#define CALIRA_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/bucket.h"
#include "http/headers.h"

struct throttle_config {
    int max_in_flight; /* at least 1 */
    double rate;       /* calls a second at the most; 0: no bound */
    double
        max_wait;  /* seconds: a reset that is further away is not waited for, the answer to the next call will tell */
    bool adaptive; /* false: nothing but these two limits, and Retry-After */
    bool
        shared; /* several clients share a rate, which is learnt elsewhere: refusals teach this one only that all are refused */
    double backoff; /* seconds before a first retry */
};

enum throttle_kind {
    THROTTLE_OK,         /* an answer with what was asked for: its latency counts */
    THROTTLE_REFUSED,    /* 429 */
    THROTTLE_OVERLOADED, /* 503, a timeout, a connection that was reset */
    THROTTLE_OTHER       /* another answer: it was let in, but its latency says nothing of the service's load */
};

struct throttle_event {
    int64_t now;     /* the attempt ended */
    int64_t started; /* as given to throttle_started for it */
    int64_t latency; /* ns from the request to the first byte of the answer; 0: none came */
    enum throttle_kind kind;
    double retry_after; /* seconds; negative: not said */
    int in_flight;      /* calls in flight just after it was sent, itself included */
};

enum { THROTTLE_SAMPLES = 32 };

/* START: the first max_in_flight calls go at once. SECOND: those after them until some came back. PROBE: fewer calls than
 * might go, to see the latency without a line. */
enum throttle_phase { THROTTLE_START, THROTTLE_SECOND, THROTTLE_STEADY, THROTTLE_PROBE };

struct throttle_latencies {
    double sum;
    int count;
};

/* The fields are throttle.c's own. */
struct throttle {
    struct throttle_config config;
    int64_t fixed_next; /* by config.rate */
    int64_t held;       /* by Retry-After */
    int64_t own;        /* by guesses: for a moment after the first calls, and where nothing is let in */

    /* calls in flight */
    enum throttle_phase phase;
    int limit, started;
    int64_t since;                       /* calls that started earlier went under another limit */
    int64_t cut;                         /* a fault lowered the limit last */
    double base;                         /* ns, the latency where nobody stands in line; 0: unknown */
    double first, second, alone;         /* of the start: the two smallest latencies, that of a call alone; 0: none */
    struct throttle_latencies low, high; /* of the start: with few others in flight, with many */
    double sample[THROTTLE_SAMPLES];     /* latencies under this limit, ascending */
    int samples, peak;                   /* how many; the most that were in flight */
    int suspicion;                       /* rounds in a row that looked like a line */
    int rest, patience;                  /* samples before the next probe; the same after the next vain probe */
    double latency_before, in_flight_before; /* when the probe began */
    int limit_before;
    bool clipped; /* the probe did not go as low as it should have */

    struct bucket bucket; /* calls a second */

    /* the service's own word */
    double left; /* calls that may start before `resets`, where that is still to come */
    int64_t resets;
};

void throttle_init(struct throttle *t, const struct throttle_config *config);

/* Calls that may be in flight now: 1 to max_in_flight. */
int throttle_limit(const struct throttle *t);

/* The earliest time at which the next call may start; at once, where it is not after `now`. */
int64_t throttle_next(struct throttle *t, int64_t now);

/* Until when the service, in its own words, asks not to be asked. */
int64_t throttle_told(const struct throttle *t);

/* A call is wanted, where none was any more: the time since the latest answer was idle. */
void throttle_wanted(struct throttle *t, int64_t now);

/* A call was sent. */
void throttle_started(struct throttle *t, int64_t now);

/* An attempt is over. Not told of one that was cancelled. */
void throttle_ended(struct throttle *t, const struct throttle_event *e);

/* What an answer, whatever its status, said of a rate limit; in_flight: calls still on the wire. After throttle_ended. */
void throttle_headers(struct throttle *t, int64_t now, const struct ratelimit *r, int in_flight);

/* ns, the latency of a call where nobody stands in line; 0: not known. */
int64_t throttle_latency(const struct throttle *t);

/* Calls a second that were learnt; 0: none. */
double throttle_rate(const struct throttle *t);

/* Whether the service refuses all that it is asked. */
bool throttle_shut(const struct throttle *t);

/* Seconds until it is asked again then; 0: it is not shut. */
double throttle_pause(const struct throttle *t, int64_t now);

/* Seconds after which a call would be let in, if no other went meanwhile. */
double throttle_turn(const struct throttle *t);

#endif
