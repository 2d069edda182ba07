/* Header fields: kept, found, read as numbers and dates, bounded. */
#include "http/headers.h"

#include <string.h>

#include "spec/support/check.h"

static struct headers h;

static void take(const char *line) {
    CHECK(headers_line(&h, line, strlen(line)) == HEADERS_OK, "%s", line);
}

static void start(void) {
    take("HTTP/1.1 200 OK\r\n");
}

static void is(const char *name, const char *expected) {
    size_t size = 0;
    const char *value = headers_find(&h, name, &size);
    CHECK((value == NULL) == (expected == NULL), "%s", name);
    if (expected)
        CHECK(size == strlen(expected) && memcmp(value, expected, size) == 0, "%s: '%.*s'", name, (int)size, value);
}

static void fields(void) {
    start();
    take("X-Total-Records: 250\r\n");
    take("x-PER-page:100\r\n");
    take("Empty:\r\n");
    take("Spaced: \t a b \t\r\n");
    take("Twice: first\r\n");
    take("Twice: second\r\n");
    take("no colon\r\n");
    take(": no name\r\n");
    take("Colons: a:b\r\n");
    take("\r\n");
    is("x-total-records", "250");
    is("x-per-page", "100");
    is("empty", "");
    is("spaced", "a b");
    is("twice", "first");
    is("colons", "a:b");
    is("x-total", NULL);
    is("", NULL);
    size_t at = 0, name_size, value_size, count = 0;
    const char *name, *value;
    while (headers_next(&h, &at, &name, &name_size, &value, &value_size))
        count++;
    CHECK(count == 7, "%zu fields", count);
    take("HTTP/1.1 404 Not Found\r\n"); /* the reply after an interim one */
    is("x-total-records", NULL);
}

static void number(const char *text, int64_t expected) {
    char line[128];
    start();
    snprintf(line, sizeof line, "N: %s\r\n", text);
    take(line);
    CHECK(headers_number(&h, "n") == expected, "'%s': %lld", text, (long long)headers_number(&h, "n"));
}

static void numbers(void) {
    number("0", 0);
    number("250", 250);
    number("007", 7);
    number("9007199254740991", INT64_C(9007199254740991));
    static const char *const junk[] = {"",
                                       "-1",
                                       "+1",
                                       "1.0",
                                       "1e3",
                                       "0x10",
                                       "1 2",
                                       "1,2",
                                       "NaN",
                                       "inf",
                                       "1;q",
                                       "none",
                                       "9007199254740992",
                                       "99999999999999999999999"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++)
        number(junk[i], -1);
    CHECK(headers_number(&h, "missing") == -1, "missing");
}

static void date(const char *text, int64_t expected) {
    CHECK(headers_date(text, strlen(text)) == expected, "'%s': %lld", text,
          (long long)headers_date(text, strlen(text)));
}

static void dates(void) {
    date("Sun, 06 Nov 1994 08:49:37 GMT", 784111777); /* the three forms of RFC 9110, 5.6.7 */
    date("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    date("Sun Nov  6 08:49:37 1994", 784111777);
    static const char *const junk[] = {"",
                                       "tomorrow",
                                       "12",
                                       "20240115",
                                       "Sun, 06 Nov 1994",
                                       "08:49:37 GMT",
                                       "Sun, 99 Nov 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 08:49:37 GMT\x01"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++)
        date(junk[i], -1);
}

static void retry_after(const char *value, const char *date_field, double expected) {
    char line[128];
    start();
    if (value) {
        snprintf(line, sizeof line, "Retry-After: %s\r\n", value);
        take(line);
    }
    if (date_field) {
        snprintf(line, sizeof line, "Date: %s\r\n", date_field);
        take(line);
    }
    double seconds = headers_retry_after(&h, 784111700);
    CHECK(seconds == expected, "'%s': %g", value ? value : "(none)", seconds);
}

static void retries(void) {
    static const char date_now[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    retry_after(NULL, NULL, -1);
    retry_after("120", NULL, 120);
    retry_after("0", NULL, 0);
    retry_after("-5", NULL, -1);
    retry_after("1.5", NULL, 2); /* no whole number, but plain enough */
    retry_after("0.25", NULL, 1);
    retry_after("1.", NULL, -1);
    retry_after(".5", NULL, -1);
    retry_after("soon", date_now, -1);
    retry_after("Sun, 06 Nov 1994 08:50:07 GMT", date_now, 30);
    retry_after("Sun, 06 Nov 1994 08:50:07 GMT", "junk", 107); /* then by the clock here */
    retry_after("Sun, 06 Nov 1994 08:50:07 GMT", NULL, 107);
    retry_after("Sun, 06 Nov 1994 08:49:07 GMT", date_now, 0); /* past: at once */
}

/* Lines, separated by newlines, and what they say; 784111777 is the time of the Date field where there is one. */
static void rate_limit(const char *lines, bool found, struct ratelimit expected) {
    char copy[512], *rest = copy;
    struct ratelimit r;
    snprintf(copy, sizeof copy, "%s", lines);
    start();
    for (char *line; (line = strsep(&rest, "\n"));)
        take(line);
    CHECK(headers_rate_limit(&h, 784111700, &r) == found, "%s", lines);
    CHECK(r.limit == expected.limit && r.remaining == expected.remaining && r.reset == expected.reset &&
              r.window == expected.window,
          "%s: limit %lld, remaining %lld, reset %g, window %g", lines, (long long)r.limit, (long long)r.remaining,
          r.reset, r.window);
}

#define SAYS(...)                                                                                                      \
    true, (struct ratelimit) {                                                                                         \
        __VA_ARGS__                                                                                                    \
    }
#define NOTHING                                                                                                        \
    false, (struct ratelimit) {                                                                                        \
        -1, -1, -1, -1                                                                                                 \
    }

static void rate_limits(void) {
    rate_limit("Content-Type: text/plain", NOTHING);
    rate_limit("RateLimit: \"default\";r=50;t=30", SAYS(-1, 50, 30, -1));
    rate_limit("RateLimit: \"a\";r=50;t=30\nRateLimit-Policy: \"a\";q=100;w=60", SAYS(100, 50, 30, 60));
    rate_limit("ratelimit:  \"day\" ; r=50 ; t=30 , \"minute\" ; r=3 ; t=7\n"
               "RateLimit-Policy: \"day\";q=1000;w=86400, \"minute\";q=10;w=60",
               SAYS(10, 3, 7, 60));
    rate_limit("RateLimit: \"minute\";r=0;t=7, \"day\";r=50;t=30", SAYS(-1, 0, 7, -1));
    rate_limit("RateLimit: \"a\";r=5, \"b\";r=9;t=30", SAYS(-1, 5, -1, -1)); /* its own reset or none */
    rate_limit("RateLimit: \"q,;\\\"=\";r=5;t=3", SAYS(-1, 5, 3, -1));
    rate_limit("RateLimit: a;r=5;t=3;pk=:cHsdsRa894==:", SAYS(-1, 5, 3, -1));
    rate_limit("RateLimit: limit=10, remaining=4, reset=50", SAYS(10, 4, 50, -1));
    rate_limit("RateLimit: limit=100, remaining=4, reset=50\nRateLimit-Policy: 100;w=60", SAYS(100, 4, 50, 60));
    rate_limit("RateLimit-Limit: 100, 100;w=60\nRateLimit-Remaining: 4\nRateLimit-Reset: 50", SAYS(100, 4, 50, -1));
    rate_limit("RateLimit-Limit: 100\nRateLimit-Remaining: 4\nRateLimit-Policy: 100;w=60;burst=5",
               SAYS(100, 4, -1, 60));
    rate_limit("X-RateLimit-Limit: 60\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 12", SAYS(60, 0, 12, -1));
    rate_limit("X-Rate-Limit-Remaining: 3\nX-Rate-Limit-Reset: 1.5", SAYS(-1, 3, 2, -1));
    rate_limit("X-RateLimit-Remaining: 3\nX-RateLimit-Reset: 1700000030\nDate: Tue, 14 Nov 2023 22:13:20 GMT",
               SAYS(-1, 3, 30, -1));
    rate_limit("X-RateLimit-Remaining: 3\nX-RateLimit-Reset: 1700000030000\nDate: Tue, 14 Nov 2023 22:13:20 GMT",
               SAYS(-1, 3, 30, -1));
    rate_limit("X-RateLimit-Remaining: 3\nX-RateLimit-Reset: 1784111700", SAYS(-1, 3, 1000000000, -1));
    rate_limit("X-RateLimit-Remaining: 3\nX-RateLimit-Reset: 1700000030\nDate: Tue, 14 Nov 2023 22:14:20 GMT",
               SAYS(-1, 3, 0, -1));
    rate_limit("X-RateLimit-Remaining: 3\nX-RateLimit-Reset: Tue, 14 Nov 2023 22:14:20 GMT", SAYS(-1, 3, -1, -1));
    rate_limit("X-RateLimit-Reset: 12", NOTHING);
    static const char *const junk[] = {
        "",      "\"a\"",      "\"a\";r=-1;t=3", "\"a\";r=x",       "limit=, remaining=",
        ",;,;=", "\"open;r=5", "\"a\";r",        "\"a\";r=5 6;t=3", "\"a\";r=99999999999999999",
        "\"\\"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        char line[128];
        struct ratelimit r;
        snprintf(line, sizeof line, "RateLimit: %s", junk[i]);
        start();
        take(line);
        CHECK(!headers_rate_limit(&h, 0, &r) && r.remaining < 0, "'%s': %lld", line, (long long)r.remaining);
    }
}

static void bound(void) {
    static char line[HEADERS_MOST + 8];
    start();
    memset(line, 'x', sizeof line);
    memcpy(line, "A: ", 3);
    CHECK(headers_line(&h, line, HEADERS_MOST) == HEADERS_TOO_LARGE, "one line");
    CHECK(headers_line(&h, line, HEADERS_MOST - 1) == HEADERS_OK, "all there is room for");
    CHECK(headers_line(&h, "B: 1", 4) == HEADERS_TOO_LARGE, "one more");
    is("b", NULL);
    start();
    take("B: 1\r\n");
    is("b", "1");
}

int main(void) {
    fields();
    numbers();
    dates();
    retries();
    rate_limits();
    bound();
    buffer_free(&h.text);
    puts("headers: ok");
    return 0;
}
