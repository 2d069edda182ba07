/* The heap of deadlines against a plain array, under thousands of random operations. */
#include "base/timer.h"

#include <math.h>
#include <stddef.h>

#include "spec/support/check.h"

enum { MOST = 300, STEPS = 200000 };

static struct timer timers[MOST];
static int64_t due[MOST]; /* -1: not armed */

static void fire(struct timer *t) {
    (void)t;
}

static int earliest(void) {
    int found = -1;
    for (int i = 0; i < MOST; i++)
        if (due[i] >= 0 && (found < 0 || due[i] < due[found]))
            found = i;
    return found;
}

static void compare(const struct timers *set) {
    int first = earliest();
    CHECK((set->root == NULL) == (first < 0), "emptiness");
    CHECK(first < 0 || set->root->when == due[first], "earliest: %lld, expected %lld", (long long)set->root->when,
          (long long)due[first]);
    for (int i = 0; i < MOST; i++)
        CHECK(timers[i].armed == (due[i] >= 0), "timer %d", i);
}

/* Takes out what is due at `now`, and sees that it is all of it and in order. */
static void take_due(struct timers *set, int64_t now) {
    int64_t before = -1;
    struct timer *t;
    while ((t = timer_due(set, now)) != NULL) {
        ptrdiff_t i = t - timers;
        CHECK(due[i] == t->when && t->when <= now && t->when >= before && !t->armed, "timer %td", i);
        before = t->when;
        due[i] = -1;
    }
    CHECK(earliest() < 0 || due[earliest()] > now, "one that is due stayed");
}

static void random_operations(uint64_t seed) {
    struct timers set = {.root = NULL};
    for (int i = 0; i < MOST; i++) {
        timers[i] = (struct timer){.fire = fire};
        due[i] = -1;
    }
    for (int step = 0; step < STEPS; step++) {
        uint64_t i = check_below(&seed, MOST), what = check_below(&seed, 100);
        if (what < 60) { /* few different times, so that many are the same; on an armed one too */
            due[i] = (int64_t)check_below(&seed, 500);
            timer_arm(&set, &timers[i], due[i]);
        } else if (what < 95) {
            timer_drop(&set, &timers[i]);
            due[i] = -1;
        } else {
            take_due(&set, (int64_t)check_below(&seed, 300));
        }
        if (step % 16 == 0)
            compare(&set);
    }
    take_due(&set, INT64_MAX);
    compare(&set);
}

/* Ten thousand in order, the worst shape of the heap: neither deep recursion nor a wrong order. */
static void sorted(void) {
    enum { MANY = 10000 };
    static struct timer many[MANY];
    struct timers set = {.root = NULL};
    for (int i = 0; i < MANY; i++)
        timer_arm(&set, &many[i], MANY - i);
    for (int i = MANY - 1; i >= 0; i--)
        CHECK(timer_due(&set, MANY) == &many[i], "timer %d", i);
    CHECK(timer_due(&set, INT64_MAX) == NULL, "empty");
}

static void spans(void) {
    int64_t century = INT64_C(3200000000) * NS_PER_SECOND;
    CHECK(timer_span(0.5) == NS_PER_SECOND / 2, "half a second");
    CHECK(timer_span(0) == 0 && timer_span(-1) == 0 && timer_span(NAN) == 0, "nothing");
    CHECK(timer_span(INFINITY) == century && timer_span(1e300) == century, "a century");
    CHECK(timer_now() + timer_span(INFINITY) > timer_now(), "no overflow");
    int64_t before = timer_now();
    CHECK(timer_now() >= before && before > 0, "the clock does not go back");
}

int main(void) {
    for (uint64_t seed = 1; seed <= 5; seed++)
        random_operations(seed);
    sorted();
    spans();
    puts("timer: ok");
    return 0;
}
