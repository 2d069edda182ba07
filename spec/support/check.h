/* What the C tests share: a check that says where it failed, and numbers that follow from a seed. */
#ifndef CALIRA_SPEC_CHECK_H
#define CALIRA_SPEC_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program where the condition does not hold; further arguments, as printf's, say in which case. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                            \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t check_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A number from 0 up to, and without, `limit`, which is not 0. */
static inline uint64_t check_below(uint64_t *state, uint64_t limit) {
    return check_random(state) % limit;
}

#endif
