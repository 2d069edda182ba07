#include "http/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- libcurl's callbacks: they fill buffers ---- */

static size_t on_body(char *data, size_t one, size_t size, void *to) {
    (void)one;
    struct transfer *t = to;
    if (size > t->exchange.settings->max_body - t->body.size)
        t->body_over = true;
    else if (!buffer_append(&t->body, data, size))
        t->no_memory = true;
    else
        return size;
    return CURL_WRITEFUNC_ERROR;
}

static bool encoding_known(const char *value, size_t size) {
    return (size == 4 && strncasecmp(value, "gzip", 4) == 0) || (size == 6 && strncasecmp(value, "x-gzip", 6) == 0) ||
           (size == 8 && strncasecmp(value, "identity", 8) == 0) || size == 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *to) {
    (void)one;
    struct transfer *t = to;
    static const char name[] = "content-encoding:";
    if (size > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
        const char *value = line + sizeof name - 1;
        size_t left = size - (sizeof name - 1);
        while (left && strchr(" \t", *value) && *value)
            value++, left--;
        while (left && strchr(" \t\r\n", value[left - 1]))
            left--;
        if (!encoding_known(value, left)) { /* libcurl would decode others too, asked or not */
            t->encoding_refused = true;
            return 0;
        }
    }
    enum headers_result result = headers_line(&t->headers, line, size);
    t->headers_over |= result == HEADERS_TOO_LARGE;
    t->no_memory |= result == HEADERS_NO_MEMORY;
    return result == HEADERS_OK ? size : 0;
}

/* ---- building the easy handle ---- */

static CURLcode add_field(struct transfer *t, const char *name, const char *value) {
    size_t room = strlen(name) + strlen(value) + 1;
    char *line = malloc(room);
    if (!line)
        return CURLE_OUT_OF_MEMORY;
    snprintf(line, room, "%s%s", name, value);
    struct curl_slist *grown = curl_slist_append(t->fields, line);
    free(line);
    if (!grown)
        return CURLE_OUT_OF_MEMORY;
    t->fields = grown;
    return CURLE_OK;
}

/* One option after another until one fails: libcurl's variadic setter, made to chain. */
#define SET(option, value)                                                                                             \
    if (rc == CURLE_OK)                                                                                                \
    rc = curl_easy_setopt(easy, option, value)

static CURLcode set_tls(CURL *easy, const struct settings *s) {
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (s->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    /* Debian presets a file and a folder of authorities: with a file of the user's own the folder would go on trusting
     * everybody, and by default the folder alone, which is hashed, spares parsing the large file for each connection. */
    if (s->ca_file || s->ca_path) {
        SET(CURLOPT_CAINFO, s->ca_file);
        SET(CURLOPT_CAPATH, s->ca_path);
    } else {
        char *folder = NULL;
        if (curl_easy_getinfo(easy, CURLINFO_CAPATH, &folder) == CURLE_OK && folder)
            SET(CURLOPT_CAINFO, (char *)NULL);
    }
    return rc;
}

/* 0 would mean libcurl's default. */
static long milliseconds(double seconds) {
    return (long)(seconds * 1000) + 1;
}

static CURLcode set_connection(CURL *easy, const struct exchange *e) {
    const struct settings *s = e->settings;
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_URL, e->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(s->connect_timeout));
    SET(CURLOPT_TIMEOUT_MS, milliseconds(s->timeout));
    SET(CURLOPT_USERAGENT, s->user_agent);
    /* Over plain HTTP a second call is not made to wait for the first one's answer; over TLS calls share a connection. */
    SET(CURLOPT_HTTP_VERSION, (long)(e->https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(CURLOPT_PIPEWAIT, e->https ? 1L : 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (s->proxy)
        SET(CURLOPT_PROXY, s->proxy);
    if (e->loopback && !e->https) /* a proxy would see the token in clear */
        SET(CURLOPT_NOPROXY, "*");
    return rc == CURLE_OK && e->https ? set_tls(easy, s) : rc;
}

static CURLcode set_exchange(struct transfer *t, CURL *easy) {
    const struct exchange *e = &t->exchange;
    CURLcode rc = set_connection(easy, e);
    SET(CURLOPT_HTTPHEADER, t->fields);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    if (e->form)
        SET(CURLOPT_POSTFIELDS, e->form);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_ERRORBUFFER, t->message);
    SET(CURLOPT_PRIVATE, (char *)&t->handle);
    return rc == CURLE_OK ? loop_tie_sockets(t->loop, easy) : rc;
}

static void drop_easy(struct transfer *t) {
    curl_easy_cleanup(t->handle.easy);
    t->handle.easy = NULL;
}

/* Frees what one attempt used to ask; the answer stays. */
static void drop_request(struct transfer *t) {
    drop_easy(t);
    curl_slist_free_all(t->fields);
    t->fields = NULL;
}

static void drop_answer(struct transfer *t) {
    buffer_free(&t->body);
    buffer_free(&t->headers.text);
    t->outcome = OUTCOME_NONE;
    t->status = t->connects = 0;
    t->message[0] = '\0';
    t->body_over = t->headers_over = t->no_memory = t->encoding_refused = t->probing = false;
}

static CURLcode add_fields(struct transfer *t) {
    CURLcode rc = add_field(t, "Accept: ", "application/json");
    if (rc == CURLE_OK && t->exchange.token)
        rc = add_field(t, "Authorization: Bearer ", t->exchange.token);
    t->exchange.token = NULL; /* the queue may replace it from now on */
    return rc;
}

static CURLcode build(struct transfer *t) {
    CURL *easy = curl_easy_init();
    if (!easy)
        return CURLE_OUT_OF_MEMORY;
    t->handle.easy = easy;
    return set_exchange(t, easy);
}

/* The loop replaced its multi handle: the same exchange once more, on a new easy handle. */
static CURLcode on_restart(struct handle *f, bool abandon) {
    struct transfer *t = link_owner(f, struct transfer, handle);
    if (abandon)
        f->easy = NULL;
    drop_easy(t); /* the header fields stay: the token they were made of may be gone */
    drop_answer(t);
    t->probing = false;
    return build(t);
}

/* ---- who issued a certificate that failed the check ---- */

/* A second connection, unverified, on which nothing is sent: libcurl tells nothing of a certificate that failed. */
static CURLcode set_probe(struct transfer *t, CURL *easy) {
    CURLcode rc = set_connection(easy, &t->exchange);
    SET(CURLOPT_SSL_VERIFYPEER, 0L);
    SET(CURLOPT_SSL_VERIFYHOST, 0L);
    SET(CURLOPT_CERTINFO, 1L);
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_PRIVATE, (char *)&t->handle);
    return rc == CURLE_OK ? loop_tie_sockets(t->loop, easy) : rc;
}

/* Starts it; false: not to be had, and the failure is told without an issuer. */
static bool probe(struct transfer *t, CURLcode code) {
    if (t->probing || code != CURLE_PEER_FAILED_VERIFICATION)
        return false;
    drop_easy(t);
    t->handle.easy = curl_easy_init();
    if (!t->handle.easy || set_probe(t, t->handle.easy) != CURLE_OK)
        return false;
    t->probing = true;
    loop_attach(t->loop, &t->handle);
    return true;
}

/* Adds the issuer of the server's own certificate to the message, where the second connection brought it. */
static void add_issuer(struct transfer *t) {
    static const char name[] = "Issuer:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(t->handle.easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
        size_t used = strlen(t->message);
        if (strncmp(line->data, name, sizeof name - 1) == 0)
            snprintf(t->message + used, sizeof t->message - used, "; the certificate was issued by %s",
                     line->data + sizeof name - 1);
    }
}

/* ---- how it ended ---- */

/* Whether a handshake failed because the connection broke, which may pass: OpenSSL's words for it. */
static bool handshake_cut(const char *message) {
    return strstr(message, "SSL_ERROR_SYSCALL") || strstr(message, "unexpected eof") ||
           strstr(message, "Connection reset");
}

static enum outcome judge(struct transfer *t, CURLcode code) {
    long proxied = 0;
    if (t->body_over || t->headers_over)
        return OUTCOME_TOO_LARGE;
    if (t->encoding_refused)
        return OUTCOME_ENCODING;
    if (t->no_memory)
        return OUTCOME_MEMORY;
    if (code == CURLE_SSL_CONNECT_ERROR && handshake_cut(t->message))
        return OUTCOME_NETWORK;
    switch (code) {
    case CURLE_OK:
        return OUTCOME_ANSWER;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTCOME_TIMEOUT;
    case CURLE_OUT_OF_MEMORY: /* also an over-long header field: then the reply had begun */
        return t->headers.text.size ? OUTCOME_TOO_LARGE : OUTCOME_MEMORY;
    case CURLE_BAD_CONTENT_ENCODING:
        return OUTCOME_ENCODING;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return OUTCOME_TLS;
    default:
        if (t->handle.easy)
            curl_easy_getinfo(t->handle.easy, CURLINFO_HTTP_CONNECTCODE, &proxied);
        return proxied >= 400 ? OUTCOME_PROXY : OUTCOME_NETWORK;
    }
}

static void finish(struct transfer *t, CURLcode code) {
    CURL *easy = t->handle.easy;
    loop_timer_drop(t->loop, &t->timer);
    t->outcome = judge(t, code);
    if (easy) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->status);
        curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &t->connects);
    }
    if (code != CURLE_OK &&
        (!t->message[0] || strstr(t->message, "Unsupported proxy"))) /* that one quotes its password */
        snprintf(t->message, sizeof t->message, "%s", curl_easy_strerror(code));
    drop_request(t);
    t->over(t);
}

static void on_completed(struct handle *f) {
    struct transfer *t = link_owner(f, struct transfer, handle);
    if (t->probing)
        add_issuer(t);
    else if (probe(t, f->code))
        return;
    finish(t, t->probing ? CURLE_PEER_FAILED_VERIFICATION : f->code);
}

static void on_late(struct timer *timer) {
    struct transfer *t = link_owner(timer, struct transfer, timer);
    loop_detach(t->loop, &t->handle);
    if (!t->probing)
        snprintf(t->message, sizeof t->message, "no whole answer within %g s", t->exchange.settings->timeout);
    finish(t, t->probing ? CURLE_PEER_FAILED_VERIFICATION : CURLE_OPERATION_TIMEDOUT);
}

/* ---- life ---- */

void transfer_init(struct transfer *t, void (*over)(struct transfer *)) {
    *t = (struct transfer){.over = over, .timer = {.fire = on_late}};
    t->handle.restart = on_restart;
    t->handle.completed = on_completed;
    link_init(&t->handle.link);
}

void transfer_start(struct transfer *t, struct loop *lp, const struct exchange *e) {
    transfer_free(t);
    t->loop = lp;
    t->exchange = *e;
    t->handle.restarts = 0;
    loop_timer_arm(lp, &t->timer, timer_now() + timer_span(e->settings->timeout));
    CURLcode code = add_fields(t);
    if (code == CURLE_OK)
        code = build(t);
    if (code == CURLE_OK) {
        loop_attach(lp, &t->handle);
    } else {
        t->handle.code = code;
        link_put(&lp->completed, &t->handle.link);
    }
}

void transfer_stop(struct transfer *t) {
    if (!t->loop)
        return;
    loop_timer_drop(t->loop, &t->timer);
    loop_detach(t->loop, &t->handle);
    drop_request(t);
}

void transfer_free(struct transfer *t) {
    transfer_stop(t);
    drop_answer(t);
}
