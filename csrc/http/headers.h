/* Floor 1. The header fields of a response: kept as they came, looked up by name. No Lua, no libcurl but its date parser.
 */
#ifndef CALIRA_HEADERS_H
#define CALIRA_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum { HEADERS_MOST = 256 * 1024 }; /* bytes of all fields of a response */

struct headers {
    struct buffer text; /* "Name: value\n" lines of the latest response, trimmed */
};

enum headers_result { HEADERS_OK, HEADERS_TOO_LARGE, HEADERS_NO_MEMORY };

/* Takes a line as libcurl gives it. A status line starts anew (interim responses, a proxy's own). */
enum headers_result headers_line(struct headers *h, const char *line, size_t size);

/* The value of the first field of that name (lower case), not NUL-terminated; NULL where there is none. */
const char *headers_find(const struct headers *h, const char *name, size_t *size);

/* A field whose whole value is a decimal number below 2^53; -1 where it is missing or anything else. */
int64_t headers_number(const struct headers *h, const char *name);

/* Seconds that a Retry-After field asks for, at least 0; -1 where there is none or it is junk. Its date forms (RFC 9110,
 * 5.6.7: three of them) count from the reply's own Date, so that a wrong clock here does no harm; `now` (Unix time) is
 * for replies without one. */
double headers_retry_after(const struct headers *h, int64_t now);

/* What an answer says of a rate limit; -1: it does not. */
struct ratelimit {
    int64_t limit, remaining; /* calls of a window; those that are left of it */
    double reset, window;     /* seconds until the quota is restored; length of a window */
};

/* Reads RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers: `"default";r=50;t=30`, and up to its 07
 * `limit=100, remaining=50, reset=30`; of several quotas the one of which least is left), else RateLimit-Limit, -Remaining
 * and -Reset, else the same as X-RateLimit- or X-Rate-Limit-. A reset of those may be a Unix time, in seconds or
 * milliseconds, which counts from the reply's Date, or from `now` (Unix time) without one. False: nothing of the kind. */
bool headers_rate_limit(const struct headers *h, int64_t now, struct ratelimit *r);

/* Unix time of an HTTP date; -1 for anything else. */
int64_t headers_date(const char *text, size_t size);

/* Walks the fields: false at the end. *at starts at 0. */
bool headers_next(const struct headers *h, size_t *at, const char **name, size_t *name_size, const char **value,
                  size_t *value_size);

#endif
