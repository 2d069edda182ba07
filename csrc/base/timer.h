/* Deadlines: a pairing heap of timers that are embedded in what they belong to, so that arming one never
 * allocates and never fails. The owner of a timer drops it before it goes away.
 */
#ifndef CALIRA_TIMER_H
#define CALIRA_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)

struct timer {
    int64_t when;                 /* monotonic nanoseconds */
    void (*fire)(struct timer *); /* called when it is due, after it was dropped */
    struct timer *child, *next;   /* heap */
    struct timer *prev;           /* heap: the sibling before, or the parent of a first child */
    bool armed;
};

struct timers {
    struct timer *root; /* the earliest; NULL: none */
};

/* Monotonic nanoseconds. */
int64_t timer_now(void);

/* Nanoseconds of a span in seconds; spans beyond a century, and infinity, become a century. */
int64_t timer_span(double seconds);

void timer_arm(struct timers *set, struct timer *t, int64_t when);
void timer_drop(struct timers *set, struct timer *t); /* no-op where it is not armed */

/* Takes out a timer that is due at `now`; NULL: none. */
struct timer *timer_due(struct timers *set, int64_t now);

#endif
