#include "base/timer.h"

#include <stddef.h>
#include <time.h>

int64_t timer_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t timer_span(double seconds) {
    const double century = 3.2e9;
    if (!(seconds > 0))
        return 0;
    return (int64_t)((seconds < century ? seconds : century) * (double)NS_PER_SECOND);
}

/* The later of two heaps becomes the first child of the earlier. Either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b) {
    if (!a || !b)
        return a ? a : b;
    if (b->when < a->when) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Melds a list of siblings into one heap, in pairs from the left and then from the right: the pairing heap's rule. */
static struct timer *meld_siblings(struct timer *first) {
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        struct timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *heap = NULL;
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        heap = meld(heap, pairs);
        pairs = next;
    }
    return heap;
}

void timer_drop(struct timers *set, struct timer *t) {
    if (!t->armed)
        return;
    if (set->root == t) {
        set->root = NULL;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
    }
    set->root = meld(set->root, meld_siblings(t->child));
    t->child = t->next = t->prev = NULL;
    t->armed = false;
}

void timer_arm(struct timers *set, struct timer *t, int64_t when) {
    timer_drop(set, t);
    t->when = when;
    t->armed = true;
    set->root = meld(set->root, t);
}

struct timer *timer_due(struct timers *set, int64_t now) {
    struct timer *t = set->root;
    if (!t || t->when > now)
        return NULL;
    timer_drop(set, t);
    return t;
}
