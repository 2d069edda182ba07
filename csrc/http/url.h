/* Addresses: checking a base URL, refusing a bad path, putting the two and a query together with libcurl's URL
 * API. A text returned as `const char *` is what is wrong, or NULL.
 */
#ifndef CALIRA_URL_H
#define CALIRA_URL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct url {
    CURLU *base; /* owned; NULL: none. url_close ends it */
    bool https, loopback;
};

struct url_pair {
    const char *name, *value;
};

/* Parses `text` into `u`, which owns nothing yet. */
const char *url_open(struct url *u, const char *text);
void url_close(struct url *u);

/* What is wrong with the address of a proxy; a scheme may be missing. */
const char *url_check_proxy(const char *text);

/* Whether a path may be asked for: it starts with one "/", has no scheme, "?", "#", "\", "..", "." segment (encoded ones
 * neither) and no control byte. `path` ends in a NUL. */
const char *url_check_path(const char *path, size_t size);

/* Puts base, path and query together; *out is freed by the caller with curl_free. */
const char *url_build(const struct url *u, const char *path, const struct url_pair *pairs, size_t count, char **out);

/* The scheme, host and port of an address, for messages, into `out`; relative and unreadable ones give "". */
void url_origin(const char *text, char *out, size_t room);

#endif
