/* idset against a plain bitmap, in a dense range and a scattered one; and what it costs. */
#include "base/idset.h"

#include <string.h>

#include "spec/support/check.h"

enum { RANGE = 1 << 16, STEPS = 200000 };

/* The k-th id of a range: dense from 12345 on, or scattered over 63 bits (an odd multiplier loses nothing). */
static uint64_t id_of(bool scattered, uint64_t k) {
    return scattered ? (k * UINT64_C(0x5851F42D4C957F2D)) & ((UINT64_C(1) << 63) - 1) : 12345 + k;
}

static uint64_t count_of(const uint8_t *has) {
    uint64_t count = 0;
    for (int k = 0; k < RANGE; k++)
        count += has[k];
    return count;
}

static void compare(const struct idset *s, const uint8_t *has, bool scattered, const char *what) {
    CHECK(s->count == count_of(has), "%s: count %llu", what, (unsigned long long)s->count);
    for (uint64_t k = 0; k < RANGE; k++)
        CHECK(idset_has(s, id_of(scattered, k)) == has[k], "%s: id number %llu", what, (unsigned long long)k);
}

/* Whether each id of `b` is in `a`. */
static bool holds(const uint8_t *a, const uint8_t *b) {
    for (int k = 0; k < RANGE; k++)
        if (b[k] && !a[k])
            return false;
    return true;
}

static void fill(struct idset *s, uint8_t *has, bool scattered, uint64_t *seed) {
    *s = (struct idset){.entries = NULL};
    memset(has, 0, RANGE);
    uint64_t limit = 1 + check_below(seed, RANGE);
    uint64_t steps = check_below(seed, STEPS);
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t k = check_below(seed, limit);
        enum idset_result expected = has[k] ? IDSET_KNOWN : IDSET_NEW;
        CHECK(idset_add(s, id_of(scattered, k)) == expected, "id number %llu", (unsigned long long)k);
        has[k] = 1;
    }
    compare(s, has, scattered, "after adding");
}

static void against_bitmap(bool scattered, uint64_t seed) {
    static uint8_t in_a[RANGE], in_b[RANGE];
    struct idset a, b;
    fill(&a, in_a, scattered, &seed);
    fill(&b, in_b, scattered, &seed);
    CHECK(idset_holds(&a, &b) == holds(in_a, in_b), "a holds b");
    CHECK(idset_holds(&b, &a) == holds(in_b, in_a), "b holds a");
    CHECK(idset_merge(&a, &b), "memory");
    for (int k = 0; k < RANGE; k++)
        in_a[k] |= in_b[k];
    compare(&a, in_a, scattered, "after merging");
    compare(&b, in_b, scattered, "what was merged");
    CHECK(idset_holds(&a, &b), "the union holds its part");
    idset_free(&a);
    idset_free(&a);
    CHECK(a.count == 0 && !idset_has(&a, id_of(scattered, 1)), "a freed set is empty");
    CHECK(idset_add(&a, 7) == IDSET_NEW && idset_has(&a, 7), "and may be used again");
    idset_free(&a);
    idset_free(&b);
}

static void edges(void) {
    static const uint64_t ids[] = {0, 1, 63, 64, (UINT64_C(1) << 53) - 1, UINT64_C(1) << 63, UINT64_MAX};
    struct idset s = {.entries = NULL}, empty = {.entries = NULL};
    CHECK(idset_holds(&empty, &empty) && idset_merge(&s, &empty), "nothing in nothing");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        CHECK(!idset_has(&s, ids[i]), "edge %zu is new", i);
        CHECK(idset_add(&s, ids[i]) == IDSET_NEW && idset_add(&s, ids[i]) == IDSET_KNOWN, "edge %zu", i);
    }
    CHECK(idset_holds(&s, &empty) && !idset_holds(&empty, &s), "the empty set is a part of any");
    idset_free(&s);
    for (uint64_t id = 0; id < 64 * 1000;
         id += 64) /* an entry each: whatever is free, what is not there is not found */
        CHECK(idset_add(&s, id) == IDSET_NEW && !idset_has(&s, id + 64), "id %llu", (unsigned long long)id);
    idset_free(&s);
}

static void cost(void) {
    enum { MANY = 1000000 };
    struct idset s = {.entries = NULL};
    for (uint64_t id = 0; id < MANY; id++)
        CHECK(idset_add(&s, 40000000 + id) == IDSET_NEW, "dense");
    double dense = (double)(s.room * sizeof *s.entries) / MANY;
    idset_free(&s);
    for (uint64_t k = 0; k < MANY; k++)
        CHECK(idset_add(&s, id_of(true, k)) == IDSET_NEW, "scattered");
    double scattered = (double)(s.room * sizeof *s.entries) / MANY;
    idset_free(&s);
    printf("idset: %.2f bytes an id for a million dense ids, %.1f for scattered ones\n", dense, scattered);
    CHECK(dense <= 2 && scattered <= 64, "too much memory");
}

int main(void) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        against_bitmap(false, seed);
        against_bitmap(true, seed);
    }
    edges();
    cost();
    return 0;
}
