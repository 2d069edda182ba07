/* When to try again: policy alone, no clock and no I/O. */
#ifndef CALIRA_RETRY_H
#define CALIRA_RETRY_H

#include <stdbool.h>

struct retry_policy {
    int retries;      /* after the first attempt */
    double base, max; /* seconds: the backoff before the first retry, and its bound */
    double max_wait;  /* seconds: the longest wait that a server may ask for */
};

struct retry_case {
    bool passing;       /* a kind of failure that may pass: network, cut body, 408, 429, 5xx but 501 and 505 */
    int made;           /* retries made so far */
    double retry_after; /* seconds that the server asked for; negative: it did not */
    double random;      /* in [0, 1) */
};

enum { RETRY_STOP = -1, RETRY_TOO_LONG = -2 };

/* Seconds to wait before the next attempt, or RETRY_STOP, or RETRY_TOO_LONG where the server asks for more than
 * max_wait. Full jitter (Brooker, "Exponential Backoff and Jitter", 2015): anywhere between 0 and the backoff; on top of
 * what the server asked for, so that not all clients come back in the same instant. */
double retry_delay(const struct retry_policy *p, const struct retry_case *c);

/* Whether an HTTP status may pass. */
bool retry_status(long status);

#endif
