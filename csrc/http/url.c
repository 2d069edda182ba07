#include "http/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char memory[] = "out of memory";

/* Whether the address has that part. */
static bool has(CURLU *u, CURLUPart part) {
    char *text = NULL;
    bool yes = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return yes;
}

/* Judged on the host as libcurl parsed it: it has turned 127.1 and 2130706433 into 127.0.0.1 by then. */
static bool is_loopback(const char *host) {
    unsigned a, b, c;
    char end;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return sscanf(host, "127.%3u.%3u.%3u%c", &a, &b, &c, &end) == 3 && a < 256 && b < 256 && c < 256;
}

/* Sets the flags of `u` and takes the slashes off the end of its path. */
static const char *settle(struct url *u) {
    char *scheme = NULL, *host = NULL, *path = NULL;
    const char *wrong = memory;
    if (curl_url_get(u->base, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u->base, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u->base, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
        size_t size = strlen(path);
        while (size && path[size - 1] == '/')
            path[--size] = '\0';
        u->https = strcasecmp(scheme, "https") == 0;
        u->loopback = is_loopback(host);
        wrong = u->https || strcasecmp(scheme, "http") == 0 ? NULL : "its scheme is neither https nor http";
        if (!wrong && curl_url_set(u->base, CURLUPART_PATH, size ? path : "/", 0) != CURLUE_OK)
            wrong = memory;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    return wrong;
}

const char *url_open(struct url *u, const char *text) {
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127 || *p == '\\')
            return "it holds white space, a control character or a backslash";
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
        return "it does not start with https:// or http://";
    if (strpbrk(text, "?#"))
        return "it has a query or a fragment";
    const char *host = strstr(text, "://") + 3;
    if (*host == '/')
        return "it names no host";             /* libcurl would take the next segment for it */
    if (memchr(host, '%', strcspn(host, "/"))) /* libcurl would decode it, and what is judged is not what is asked */
        return "its host is percent-encoded";
    u->base = curl_url();
    if (!u->base)
        return memory;
    CURLUcode rc = curl_url_set(u->base, CURLUPART_URL, text, 0);
    if (rc != CURLUE_OK)
        return rc == CURLUE_OUT_OF_MEMORY ? memory : "it is no address";
    if (has(u->base, CURLUPART_USER) || has(u->base, CURLUPART_PASSWORD))
        return "it names a user or a password";
    return settle(u);
}

void url_close(struct url *u) {
    curl_url_cleanup(u->base);
    u->base = NULL;
}

const char *url_check_proxy(const char *text) {
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    char *scheme = NULL;
    const char *wrong = "it is no address";
    CURLU *u = curl_url();
    if (u && !strpbrk(text, " \t\r\n") &&
        curl_url_set(u, CURLUPART_URL, text, CURLU_DEFAULT_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_PATH, NULL, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK) {
        for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
            /* without a scheme libcurl takes it for an HTTP proxy, and the URL API says https */
            if (strcasecmp(scheme, schemes[i]) == 0)
                wrong = NULL;
        }
    }
    curl_free(scheme);
    curl_url_cleanup(u);
    return wrong;
}

/* Bytes of the dot at `p`, as it is or encoded; 0: there is none. `p` ends in a NUL. */
static size_t dot(const char *p) {
    return *p == '.' ? 1 : strncasecmp(p, "%2e", 3) == 0 ? 3 : 0;
}

/* Whether two dots, or a segment of one, are at `p`: servers and proxies climb by them, encoded or not. */
static bool climbs(const char *p, bool starts_segment) {
    size_t first = dot(p);
    if (!first)
        return false;
    return dot(p + first) || (starts_segment && (p[first] == '/' || p[first] == '\0'));
}

const char *url_check_path(const char *path, size_t size) {
    if (size == 0 || path[0] != '/')
        return "it does not start with \"/\"";
    if (path[1] == '/' || strstr(path, "://"))
        return "it names a host or a scheme: the base URL says which";
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)path[i] < ' ' || path[i] == 127)
            return "it holds a control character";
        if (path[i] == '?' || path[i] == '#' || path[i] == '\\')
            return "it holds a \"?\", \"#\" or \"\\\": parameters go into the query table";
        if (climbs(path + i, i > 0 && path[i - 1] == '/'))
            return "it holds \"..\", or a segment \".\"";
    }
    return NULL;
}

static const char *add_query(CURLU *u, const struct url_pair *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t room = strlen(pairs[i].name) + strlen(pairs[i].value) + 2;
        char *pair = malloc(room);
        if (!pair)
            return memory;
        snprintf(pair, room, "%s=%s", pairs[i].name, pairs[i].value);
        CURLUcode rc = curl_url_set(u, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE);
        free(pair);
        if (rc != CURLUE_OK)
            return rc == CURLUE_OUT_OF_MEMORY ? memory : "its query cannot be encoded";
    }
    return NULL;
}

/* Writes `path` to `to`, which has room for three times its size: what a path cannot hold (RFC 3986, 3.3) is encoded, what
 * is encoded already stays. */
static void encode_path(char *to, const char *path) {
    for (const char *p = path; *p; p++) {
        bool encoded = *p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
        if (encoded || ((unsigned char)*p < 0x80 && isalnum((unsigned char)*p)) || strchr("/-._~!$&'()*+,;=:@", *p))
            *to++ = *p;
        else
            to += sprintf(to, "%%%02x", (unsigned char)*p);
    }
    *to = '\0';
}

/* Sets the path of `made`, a copy of the base: the base's path as it stands, then `path`, encoded. */
static const char *add_path(CURLU *made, const char *path) {
    char *base = NULL, *whole = NULL;
    const char *wrong = memory;
    if (curl_url_get(made, CURLUPART_PATH, &base, 0) == CURLUE_OK) {
        size_t size = strcmp(base, "/") == 0 ? 0 : strlen(base);
        whole = malloc(size + 3 * strlen(path) + 1);
        if (whole) {
            memcpy(whole, base, size);
            encode_path(whole + size, path);
            wrong = curl_url_set(made, CURLUPART_PATH, whole, 0) == CURLUE_OK ? NULL : memory;
        }
    }
    curl_free(base);
    free(whole);
    return wrong;
}

const char *url_build(const struct url *u, const char *path, const struct url_pair *pairs, size_t count, char **out) {
    CURLU *made = curl_url_dup(u->base);
    const char *wrong = made ? add_path(made, path) : memory;
    if (!wrong)
        wrong = add_query(made, pairs, count);
    if (!wrong && curl_url_get(made, CURLUPART_URL, out, 0) != CURLUE_OK)
        wrong = memory;
    curl_url_cleanup(made);
    return wrong;
}

void url_origin(const char *text, char *out, size_t room) {
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = curl_url();
    out[0] = '\0';
    if (u && curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        bool with_port = curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        snprintf(out, room, "%s://%s%s%s", scheme, host, with_port ? ":" : "", with_port ? port : "");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
}
