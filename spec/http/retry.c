/* The policy of retries, as a table; and that its jitter covers all of its range. */
#include "http/retry.h"

#include <math.h>

#include "spec/support/check.h"

struct row {
    const char *name;
    struct retry_policy policy;
    struct retry_case given;
    double expected;
};

#define NORMAL                                                                                                         \
    { .retries = 4, .base = 0.5, .max = 30, .max_wait = 60 }
#define ALMOST 0.999999

static const struct row rows[] = {
    {"no failure that passes", NORMAL, {false, 0, -1, 0.5}, RETRY_STOP},
    {"nor one with a Retry-After", NORMAL, {false, 0, 5, 0.5}, RETRY_STOP},
    {"first retry", NORMAL, {true, 0, -1, 0.5}, 0.25},
    {"second", NORMAL, {true, 1, -1, 0.5}, 0.5},
    {"third", NORMAL, {true, 2, -1, 0.5}, 1},
    {"fourth and last", NORMAL, {true, 3, -1, 0.5}, 2},
    {"no fifth", NORMAL, {true, 4, -1, 0.5}, RETRY_STOP},
    {"no retries at all", {0, 0.5, 30, 60}, {true, 0, -1, 0.5}, RETRY_STOP},
    {"down to nothing", NORMAL, {true, 3, -1, 0}, 0},
    {"bounded by max", {100, 0.5, 30, 60}, {true, 7, -1, 1}, 30},
    {"also far on", {100, 0.5, 30, 60}, {true, 99, -1, 1}, 30},
    {"base beyond max", {4, 50, 30, 60}, {true, 0, -1, 1}, 30},
    {"no backoff", {4, 0, 0, 60}, {true, 2, -1, ALMOST}, 0},
    {"base zero stays zero", {100, 0, 30, 60}, {true, 50, -1, ALMOST}, 0},
    {"as asked, and jitter on top", NORMAL, {true, 0, 10, 0.5}, 10.25},
    {"the jitter does not grow then", NORMAL, {true, 3, 10, 0.5}, 10.25},
    {"asked for nothing", NORMAL, {true, 0, 0, 0.5}, 0.25},
    {"as long as allowed", NORMAL, {true, 0, 60, 0}, 60},
    {"too long", NORMAL, {true, 0, 60.001, 0}, RETRY_TOO_LONG},
    {"too long is told also where retries are used up", NORMAL, {true, 4, 61, 0}, RETRY_TOO_LONG},
    {"used up", NORMAL, {true, 4, 10, 0}, RETRY_STOP},
    {"no wait allowed", {4, 0.5, 30, 0}, {true, 0, 1, 0}, RETRY_TOO_LONG},
};

static void statuses(void) {
    for (long status = 0; status < 1000; status++) {
        bool passes =
            status == 408 || status == 429 || (status >= 500 && status <= 599 && status != 501 && status != 505);
        CHECK(retry_status(status) == passes, "status %ld", status);
    }
}

static void jitter(void) {
    struct retry_policy p = NORMAL;
    uint64_t seed = 1;
    double least = INFINITY, most = 0, sum = 0;
    enum { TRIES = 10000 };
    for (int i = 0; i < TRIES; i++) {
        struct retry_case c = {true, 3, -1, (double)(check_random(&seed) >> 11) * 0x1p-53};
        double delay = retry_delay(&p, &c);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
        sum += delay;
    }
    CHECK(least >= 0 && least < 0.01 && most <= 4 && most > 3.99, "from %g to %g", least, most);
    CHECK(fabs(sum / TRIES - 2) < 0.1, "mean %g", sum / TRIES);
}

int main(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double delay = retry_delay(&rows[i].policy, &rows[i].given);
        CHECK(fabs(delay - rows[i].expected) < 1e-4, "%s: %g", rows[i].name, delay);
    }
    statuses();
    jitter();
    puts("retry: ok");
    return 0;
}
