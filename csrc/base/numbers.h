/* Small arithmetic that C has no plain word for. */
#ifndef CALIRA_NUMBERS_H
#define CALIRA_NUMBERS_H

#include <stdint.h>

#include "base/timer.h"

static inline double least(double a, double b) {
    return a < b ? a : b;
}

static inline double most(double a, double b) {
    return a > b ? a : b;
}

static inline int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline int rounded(double value, int low, int high) {
    return value <= low ? low : value >= high ? high : (int)(value + 0.5);
}

static inline double seconds(int64_t from, int64_t to) {
    return (double)(to - from) / (double)NS_PER_SECOND;
}

#endif
