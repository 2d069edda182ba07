#include "http/headers.h"

#include <curl/curl.h>
#include <stdio.h>
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

/* When the reply was sent, by its own clock; `now` where it does not say. */
static int64_t sent_at(const struct headers *h, int64_t now) {
    size_t size;
    const char *date = headers_find(h, "date", &size);
    int64_t sent = date ? headers_date(date, size) : -1;
    return sent < 0 ? now : sent;
}

/* A decimal number; a fraction counts as one more. -1 for anything else. */
static int64_t whole(const char *text, size_t size) {
    const char *point = memchr(text, '.', size);
    if (!point)
        return digits(text, size);
    size_t before = (size_t)(point - text);
    int64_t n = digits(text, before);
    return n >= 0 && decimal(point + 1, size - before - 1) ? n + 1 : -1;
}

double headers_retry_after(const struct headers *h, int64_t now) {
    size_t size;
    const char *text = headers_find(h, "retry-after", &size);
    if (!text)
        return -1;
    int64_t seconds = whole(text, size); /* RFC 9110 has no fraction, some services have */
    if (seconds >= 0 && (double)seconds < BEYOND)
        return (double)seconds;
    if (decimal(text, size))
        return BEYOND;
    int64_t then = headers_date(text, size);
    if (then < 0)
        return -1;
    int64_t from = sent_at(h, now);
    return then > from ? (double)(then - from) : 0;
}

/* ---- rate limits ---- */

/* A piece of a structured field: `key` or `key=number`, the first of a member of the list or a parameter of it. */
struct piece {
    bool first;
    const char *key;
    size_t size;
    int64_t number; /* of the value, or of the key where there is none; -1: not a number */
};

static bool is_key(const struct piece *p, const char *key) {
    return p->size == strlen(key) && strncasecmp(p->key, key, p->size) == 0;
}

/* Takes the next piece off the text: false at its end. *first: whether a member of the list begins here. */
static bool next_piece(const char **text, const char *end, bool *first, struct piece *p) {
    const char *at = *text, *equals = NULL;
    if (at >= end)
        return false;
    bool quoted = false;
    for (; at < end && (quoted || (*at != ',' && *at != ';')); at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == '=' && !quoted && !equals)
            equals = at;
    }
    const char *key = *text, *stop = at;
    while (key < stop && blank(*key))
        key++;
    while (stop > key && blank(stop[-1]))
        stop--;
    const char *value = equals ? equals + 1 : key;
    *p = (struct piece){*first, key, (size_t)((equals ? equals : stop) - key), -1};
    if (value < stop)
        p->number = whole(value, (size_t)(stop - value));
    *first = at < end && *at == ',';
    *text = at < end ? at + 1 : end;
    return true;
}

/* The window, and the limit where it is not known, of the policy that is called `name`, or else of the first. */
static void find_policy(const struct headers *h, const char *name, size_t name_size, struct ratelimit *r) {
    size_t size;
    const char *text = headers_find(h, "ratelimit-policy", &size);
    const char *end = text ? text + size : NULL;
    struct piece p;
    bool first = true, wanted = false, found = false;
    while (text && next_piece(&text, end, &first, &p)) {
        if (p.first) {
            if (found)
                return;
            found = wanted = !name || (p.size == name_size && memcmp(p.key, name, name_size) == 0);
            if (wanted && p.number >= 0)
                r->limit = p.number;
        } else if (wanted && is_key(&p, "q"))
            r->limit = p.number;
        else if (wanted && is_key(&p, "w"))
            r->window = (double)p.number;
    }
}

static bool standard_rate_limit(const struct headers *h, struct ratelimit *r) {
    size_t size, name_size = 0;
    const char *text = headers_find(h, "ratelimit", &size), *name = NULL;
    if (!text)
        return false;
    const char *end = text + size;
    struct piece p, member = {0};
    bool first = true, least = false;
    while (next_piece(&text, end, &first, &p)) {
        if (p.first) {
            member = p;
            least = false;
        }
        if (p.first && is_key(&p, "limit"))
            r->limit = p.number;
        else if (p.first && is_key(&p, "remaining"))
            r->remaining = p.number;
        else if (p.first ? is_key(&p, "reset") : least && is_key(&p, "t"))
            r->reset = (double)p.number;
        else if (!p.first && is_key(&p, "r") && p.number >= 0 && (r->remaining < 0 || p.number < r->remaining)) {
            least = true;
            r->remaining = p.number;
            r->reset = -1;
            name = member.key;
            name_size = member.size;
        }
    }
    find_policy(h, name, name_size, r);
    return r->limit >= 0 || r->remaining >= 0;
}

/* The number that a field begins with: `100, 100;w=60` is 100. */
static int64_t leading(const struct headers *h, const char *prefix, const char *name) {
    char field[40];
    size_t size;
    bool first = true;
    struct piece p;
    snprintf(field, sizeof field, "%s%s", prefix, name);
    const char *text = headers_find(h, field, &size);
    return text && next_piece(&text, text + size, &first, &p) ? p.number : -1;
}

bool headers_rate_limit(const struct headers *h, int64_t now, struct ratelimit *r) {
    static const char *const prefixes[] = {"ratelimit-", "x-ratelimit-", "x-rate-limit-"};
    static const int64_t UNIX_TIME = 1000000000, MILLISECONDS = 100000000000; /* from 2001 on; to the year 5138 */
    *r = (struct ratelimit){-1, -1, -1, -1};
    if (standard_rate_limit(h, r))
        return true;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        r->limit = leading(h, prefixes[i], "limit");
        r->remaining = leading(h, prefixes[i], "remaining");
        int64_t reset = leading(h, prefixes[i], "reset");
        if (r->limit < 0 && r->remaining < 0)
            continue;
        if (reset >= MILLISECONDS)
            reset /= 1000;
        if (reset >= UNIX_TIME) {
            int64_t from = sent_at(h, now);
            reset = reset > from ? reset - from : 0;
        }
        r->reset = (double)reset;
        if (i == 0)
            find_policy(h, NULL, 0, r);
        return true;
    }
    return false;
}
