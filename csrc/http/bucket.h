/* The service's token bucket, as its refusals teach it: calls a second. Policy alone, like throttle.h, which embeds it. */
#ifndef CALIRA_BUCKET_H
#define CALIRA_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_MARKS = 128 };

struct bucket_span {
    double accepted, refused; /* calls a second; share of the calls */
    double rate, next_rate;   /* with which it began; with which the one after it does */
};

/* The fields are bucket.c's own; others read the rate. */
struct bucket {
    int max_in_flight;
    int64_t held;                      /* by Retry-After, when the latest refusal came */
    double rate;                       /* 0: none learnt */
    bool measured;                     /* it was measured between two refusals, not just guessed after one */
    double tokens, burst;              /* calls that may start now; as many may be saved up */
    int64_t filled;                    /* tokens are of this time */
    int refusals;                      /* spans that ended with one */
    int64_t from, to, refused_start;   /* the latest of them; the latest start among the calls that met it */
    double accepted;                   /* calls in it */
    double capacity;                   /* of the service's bucket */
    double first_accepted, first_span; /* the first span: calls, seconds */
    int64_t opened;                    /* the span under way */
    double running;                    /* calls accepted in it */
    double refused;                    /* and refused */
    struct bucket_span span;           /* the one before */
    double vain_share;                 /* of refusals, when slowing down was found to be in vain */
    int truce, truce_calls;            /* calls until refusals slow again; the same after the next vain attempt */
    int shut;                          /* refusals, one after the other's answer, with nothing let in between */
    int64_t shut_since;                /* the first of them */
    int64_t reopened;                  /* after many, something was let in; before the first time, the first call */
    double let_in;                     /* since then */
    double paced;                      /* those that had to wait for their turn, since the latest refusal */
    int64_t grown;                     /* the rate is of this time */
    int64_t active;                    /* of the latest start or answer */
    int64_t mark[BUCKET_MARKS];        /* starts of the calls accepted since the latest refusal, a ring */
    int marks;
};

void bucket_init(struct bucket *b, int max_in_flight);

/* The earliest time, not before `at`, at which the next call may start; `at` itself where the bucket holds nobody back. */
int64_t bucket_next(struct bucket *b, int64_t now, int64_t at);

/* A call was sent. */
void bucket_started(struct bucket *b, int64_t now);

/* A call is wanted, the first since the latest answer, or since `free`, if that is later. */
void bucket_wanted(struct bucket *b, int64_t now, int64_t free);

/* An answer that was no 429 came at `now` to a call that had started at `started`. */
void bucket_accepted(struct bucket *b, int64_t started, int64_t now);

/* A 429 came; no call starts before `held`, as it said. */
void bucket_refused(struct bucket *b, int64_t started, int64_t now, int64_t held);

/* Whether the service lets nothing in at all, though it had let many in: the window of its limit is used up. */
bool bucket_shut(const struct bucket *b);

/* The time before which it is not worth asking then. told: the service said when to come back, which is believed twice; backoff,
 * longest: seconds, the pause before a first retry, and the longest of all. */
int64_t bucket_reopens(const struct bucket *b, bool told, double backoff, double longest);

#endif
