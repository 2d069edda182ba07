#include "base/json_scan.h"

#include <float.h>
#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const unsigned char *json_fail(struct json_text *t, const unsigned char *at, const char *wrong) {
    t->wrong = wrong;
    t->at = at;
    t->cut_short = at == t->end;
    return NULL;
}

/* ---- strings ---- */

/* Whether a byte of a string stands for itself. */
static bool is_plain(unsigned char c) {
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte from `p` that is not plain; at the latest, the NUL at the end. */
static const unsigned char *skip_plain(const unsigned char *p, const unsigned char *end) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i other = _mm_cmplt_epi8(x, space); /* signed: bytes from 0x80 are below it, too */
        other = _mm_or_si128(other, _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(other);
        if (mask)
            return p + __builtin_ctz(mask);
    }
#else
    /* Eight bytes at once (Mycroft's test for a zero byte): a borrow may cry wolf, but misses none. */
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    for (; end - p >= 8; p += 8) {
        uint64_t x, quote, backslash;
        memcpy(&x, p, sizeof x);
        quote = x ^ ones * '"';
        backslash = x ^ ones * '\\';
        if ((x | (x - ones * ' ') | (quote - ones) | (backslash - ones)) & high)
            break;
    }
#endif
    while (is_plain(*p))
        p++;
    return p;
}

/* The byte behind the UTF-8 character at `p`, whose first byte is 0x80 or more. RFC 3629, section 4. */
static const unsigned char *skip_character(struct json_text *t, const unsigned char *p) {
    static const char wrong[] = "invalid UTF-8";
    size_t size = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    unsigned char least = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char most = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return json_fail(t, p, wrong);
    if (p[1] < least || p[1] > most)
        return json_fail(t, p + 1, wrong);
    for (size_t i = 2; i < size; i++) /* stops at the NUL at the end */
        if (p[i] < 0x80 || p[i] > 0xBF)
            return json_fail(t, p + i, wrong);
    return p + size;
}

const unsigned char *json_scan_string(struct json_text *t, const unsigned char *p, bool *escaped) {
    *escaped = false;
    for (;;) {
        p = skip_plain(p, t->end);
        if (*p == '"')
            return p;
        if (*p == '\\') {
            *escaped = true;
            p += p[1] == '"' || p[1] == '\\' ? 2 : 1;
        } else if (*p >= 0x80) {
            p = skip_character(t, p);
            if (!p)
                return NULL;
        } else {
            return json_fail(t, p, p == t->end ? "the text ends inside a string" : "a control character in a string");
        }
    }
}

static int hex(unsigned char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The number of the \uXXXX at `p`; -1: there is none. */
static int32_t escaped_unit(const unsigned char *p) {
    int32_t unit = 0;
    if (p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        if (hex(p[i]) < 0) /* the closing quote at the latest */
            return -1;
        unit = unit * 16 + hex(p[i]);
    }
    return unit;
}

/* Writes the character in UTF-8 and returns where it ends. */
static char *put_utf8(char *to, int32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xE0 | c >> 12);
        } else {
            *to++ = (char)(0xF0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* Writes the character of the \uXXXX, or of the two of a surrogate pair, at *p to *to, and moves both on. False: it is
 * none. */
static bool put_unit(struct json_text *t, const unsigned char **p, char **to) {
    int32_t c = escaped_unit(*p);
    if (c < 0)
        return false;
    *p += 6;
    if (c >= 0xD800 && c <= 0xDFFF) {
        int32_t low = c < 0xDC00 ? escaped_unit(*p) : -1;
        bool paired = low >= 0xDC00 && low <= 0xDFFF;
        c = paired ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
        *p += paired ? 6 : 0;
        t->replaced += !paired;
    }
    *to = put_utf8(*to, c);
    return true;
}

/* Pushes a string with escapes. What they stand for is never longer than they are. */
static bool push_unescaped(struct json_text *t, const unsigned char *p, const unsigned char *end) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    luaL_Buffer buffer;
    char *start = luaL_buffinitsize(t->L, &buffer, (size_t)(end - p)), *to = start;
    while (p < end) {
        const unsigned char *next = memchr(p, '\\', (size_t)(end - p));
        size_t size = (size_t)((next ? next : end) - p);
        memcpy(to, p, size);
        to += size;
        p += size;
        if (!next)
            break;
        const char *letter = memchr(letters, p[1], sizeof letters - 1);
        if (letter) {
            *to++ = meant[letter - letters];
            p += 2;
        } else if (!put_unit(t, &p, &to)) {
            json_fail(t, p, "an invalid escape");
            return false;
        }
    }
    luaL_pushresultsize(&buffer, (size_t)(to - start));
    return true;
}

const unsigned char *json_push_string(struct json_text *t, const unsigned char *p, const unsigned char *end,
                                      bool escaped) {
    if (!escaped)
        lua_pushlstring(t->L, (const char *)p, (size_t)(end - p));
    else if (!push_unescaped(t, p, end))
        return NULL;
    return end + 1;
}

/* ---- numbers ---- */

enum {
    MOST_DIGITS = 800,    /* 767 decide how a decimal is rounded to a double; of more it matters whether all are zero */
    MOST_EXPONENT = 9999, /* with so many digits, as good as any larger */
    SHORT = 18            /* digits that 64 bits always hold */
};

/* A decimal: its digits from the first to the last that is not zero, as a whole number, times ten to the exponent. */
struct decimal {
    char digits[MOST_DIGITS + 16]; /* room for an exponent behind them */
    size_t count;
    int64_t exponent;
};

static bool is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

/* Reads a valid number without sign, which ends before `end`. */
static void read_decimal(struct decimal *d, const unsigned char *p, const unsigned char *end) {
    bool fraction = false, more = false;
    d->count = 0;
    d->exponent = 0;
    for (; p < end && (*p | 32) != 'e'; p++) {
        if (*p == '.') {
            fraction = true;
        } else if (d->count < MOST_DIGITS) {
            if (d->count > 0 || *p != '0')
                d->digits[d->count++] = (char)*p;
            d->exponent -= fraction;
        } else {
            more = more || *p != '0';
            d->exponent += !fraction;
        }
    }
    if (more) { /* beyond a tie, at least */
        d->digits[d->count++] = '1';
        d->exponent--;
    }
    for (; d->count > 0 && d->digits[d->count - 1] == '0'; d->count--)
        d->exponent++;
    if (p == end)
        return;
    bool below = p[1] == '-';
    int64_t exponent = 0;
    for (p += is_digit(p[1]) ? 1 : 2; p < end; p++)
        if (exponent < INT64_MAX / 100)
            exponent = exponent * 10 + (*p - '0');
    d->exponent += below ? -exponent : exponent;
}

/* The decimal as a whole number of 64 bits; false: it is none. */
static bool whole(const struct decimal *d, bool minus, lua_Integer *n) {
    uint64_t sum = 0;
    if (d->exponent < 0 || d->exponent > 18 || d->count + (size_t)d->exponent > 19)
        return false;
    for (size_t i = 0; i < d->count; i++)
        sum = sum * 10 + (uint64_t)(d->digits[i] - '0');
    for (int64_t i = 0; i < d->exponent; i++)
        sum *= 10;
    if (sum > (uint64_t)INT64_MAX + minus)
        return false;
    *n = (lua_Integer)(minus ? 0 - sum : sum);
    return true;
}

/* The nearest double, without sign. No point is given to strtod: what it takes for one depends on the locale. */
static double nearest(struct decimal *d) {
#if FLT_EVAL_METHOD == 0
    /* Exact numbers, one rounding (Clinger 1990). */
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->count <= 15 && d->exponent >= -22 && d->exponent <= 22) {
        int64_t sum = 0;
        for (size_t i = 0; i < d->count; i++)
            sum = sum * 10 + (d->digits[i] - '0');
        return d->exponent < 0 ? (double)sum / tens[-d->exponent] : (double)sum * tens[d->exponent];
    }
#endif
    int64_t e = d->exponent;
    int exponent = (int)(e > MOST_EXPONENT ? MOST_EXPONENT : e < -MOST_EXPONENT ? -MOST_EXPONENT : e);
    snprintf(d->digits + d->count, sizeof d->digits - d->count, "e%d", exponent);
    return strtod(d->digits, NULL);
}

/* Pushes the valid number between `p`, behind its sign, and `end`. */
static const unsigned char *push_decimal(struct json_text *t, const unsigned char *p, const unsigned char *end,
                                         bool minus) {
    struct decimal d;
    lua_Integer n = 0;
    read_decimal(&d, p, end);
    if (d.count == 0 || whole(&d, minus, &n)) {
        lua_pushinteger(t->L, n);
        return end;
    }
    double x = nearest(&d);
    if (isinf(x))
        return json_fail(t, p, "a number beyond the range of a double");
    x = minus ? -x : x;
    if (x == floor(x) && fabs(x) < 0x1p63) /* rounded to a whole number, zero perhaps */
        lua_pushinteger(t->L, (lua_Integer)x);
    else
        lua_pushnumber(t->L, x);
    return end;
}

/* The byte behind the digits at `p`, of which there is at least one; NULL: none. */
static const unsigned char *skip_digits(struct json_text *t, const unsigned char *p) {
    if (!is_digit(*p))
        return json_fail(t, p, "a digit was expected");
    while (is_digit(*p))
        p++;
    return p;
}

const unsigned char *json_push_number(struct json_text *t, const unsigned char *p) {
    bool minus = *p == '-';
    const unsigned char *first = p += minus;
    uint64_t n = 0;
    for (; is_digit(*p); p++)
        n = n * 10 + (uint64_t)(*p - '0'); /* may overflow: used only where it cannot */
    if (p == first)
        return json_fail(t, p, "a digit was expected");
    if (*first == '0' && p - first > 1)
        return json_fail(t, first + 1, "a digit after a leading zero");
    if (p - first <= SHORT && *p != '.' && (*p | 32) != 'e') {
        lua_pushinteger(t->L, minus ? -(lua_Integer)n : (lua_Integer)n);
        return p;
    }
    if (*p == '.' && !(p = skip_digits(t, p + 1)))
        return NULL;
    if ((*p | 32) == 'e') {
        p += p[1] == '+' || p[1] == '-' ? 2 : 1;
        if (!(p = skip_digits(t, p)))
            return NULL;
    }
    return push_decimal(t, first, p, minus);
}
