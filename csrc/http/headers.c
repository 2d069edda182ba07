#include "http/headers.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static const double BEYOND = 3.2e9; /* seconds: a century, in place of what is even more */

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum headers_result headers_line(struct headers *h, const char *line, size_t size) {
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        buffer_free(&h->text);
        return HEADERS_OK;
    }
    while (size && blank(line[size - 1]))
        size--;
    if (size == 0)
        return HEADERS_OK;
    if (size + 1 > (size_t)HEADERS_MOST - h->text.size)
        return HEADERS_TOO_LARGE;
    if (!buffer_append(&h->text, line, size) || !buffer_append(&h->text, "\n", 1))
        return HEADERS_NO_MEMORY;
    return HEADERS_OK;
}

bool headers_next(const struct headers *h, size_t *at, const char **name, size_t *name_size, const char **value,
                  size_t *value_size) {
    while (*at < h->text.size) {
        const char *line = h->text.data + *at;
        const char *end = memchr(line, '\n', h->text.size - *at);
        if (!end)
            return false;
        *at += (size_t)(end - line) + 1;
        const char *colon = memchr(line, ':', (size_t)(end - line));
        if (!colon || colon == line)
            continue;
        *name = line;
        *name_size = (size_t)(colon - line);
        do
            colon++;
        while (colon < end && blank(*colon));
        *value = colon;
        *value_size = (size_t)(end - colon);
        return true;
    }
    return false;
}

const char *headers_find(const struct headers *h, const char *name, size_t *size) {
    size_t at = 0, name_size, value_size, length = strlen(name);
    const char *found, *value;
    while (headers_next(h, &at, &found, &name_size, &value, &value_size)) {
        if (name_size == length && strncasecmp(found, name, length) == 0) {
            *size = value_size;
            return value;
        }
    }
    return NULL;
}

static bool decimal(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return size > 0;
}

/* -1 unless all of the text is a decimal number below 2^53. */
static int64_t digits(const char *text, size_t size) {
    int64_t n = 0;
    if (!decimal(text, size) || size > 16)
        return -1;
    for (size_t i = 0; i < size; i++)
        n = n * 10 + (text[i] - '0');
    return n < INT64_C(1) << 53 ? n : -1;
}

int64_t headers_number(const struct headers *h, const char *name) {
    size_t size;
    const char *text = headers_find(h, name, &size);
    return text ? digits(text, size) : -1;
}

int64_t headers_date(const char *text, size_t size) {
    char copy[64];
    /* curl_getdate also takes bare numbers and zone names; an HTTP date starts with a weekday and has a time of day. */
    if (size < 20 || size >= sizeof copy || !memchr(text, ':', size))
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z')))
            return -1;
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return -1;
    memcpy(copy, text, size);
    copy[size] = '\0';
    time_t when = curl_getdate(copy, NULL);
    return when < 0 ? -1 : (int64_t)when;
}

double headers_retry_after(const struct headers *h, int64_t now) {
    size_t size;
    const char *text = headers_find(h, "retry-after", &size);
    if (!text)
        return -1;
    int64_t seconds = digits(text, size);
    if (seconds >= 0 && (double)seconds < BEYOND)
        return (double)seconds;
    if (decimal(text, size))
        return BEYOND;
    int64_t then = headers_date(text, size);
    if (then < 0)
        return -1;
    const char *date = headers_find(h, "date", &size);
    int64_t from = date ? headers_date(date, size) : -1;
    if (from < 0)
        from = now;
    return then > from ? (double)(then - from) : 0;
}
