#include "http/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- libcurl's callbacks: they fill buffers ---- */

static size_t on_body(char *data, size_t one, size_t size, void *to) {
    (void)one;
    struct transfer *t = to;
    if (size > t->exchange.settings->max_body - t->reply.body.size)
        t->reply.body_over = true;
    else if (!buffer_append(&t->reply.body, data, size))
        t->reply.no_memory = true;
    else
        return size;
    return CURL_WRITEFUNC_ERROR;
}

static bool encoding_known(const char *value, size_t size) {
    return (size == 4 && strncasecmp(value, "gzip", 4) == 0) || (size == 6 && strncasecmp(value, "x-gzip", 6) == 0) ||
           (size == 8 && strncasecmp(value, "identity", 8) == 0) || size == 0;
}

/* libcurl would decode other encodings too, asked for or not. Interim answers and trailers have no body to encode. */
static bool encoding_refused(struct transfer *t, const char *line, size_t size) {
    static const char name[] = "content-encoding:";
    const size_t skip = sizeof name - 1;
    if (size < skip || strncasecmp(line, name, skip) != 0 || t->reply.status < 200 || t->reply.body.size)
        return false;
    const char *value = line + skip, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]))
        end--;
    if (encoding_known(value, (size_t)(end - value)))
        return false;
    snprintf(t->reply.encoding, sizeof t->reply.encoding, "%.*s", (int)(end - value < 31 ? end - value : 31), value);
    return true;
}

/* The status of a status line; 0: it is none. */
static long status_of(const char *line, size_t size) {
    const char *space = size > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', size) : NULL;
    return space && line + size - space > 4 ? (space[1] - '0') * 100L + (space[2] - '0') * 10L + (space[3] - '0') : 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *to) {
    (void)one;
    struct transfer *t = to;
    long status = status_of(line, size);
    t->handle.answered = true;
    if (status)
        t->reply.status = status;
    if (encoding_refused(t, line, size))
        return 0;
    enum headers_result result = headers_line(&t->reply.headers, line, size);
    t->reply.headers_over |= result == HEADERS_TOO_LARGE;
    t->reply.no_memory |= result == HEADERS_NO_MEMORY;
    return result == HEADERS_OK ? size : 0;
}

/* There is a connection, and the request is about to be sent on it. */
static int on_connected(void *to, char *ip, char *local_ip, int port, int local_port) { // NOLINT: libcurl's type
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct transfer *t = to;
    t->handle.connected = true;
    curl_easy_setopt(t->handle.easy, CURLOPT_FORBID_REUSE, 0L);
    return CURL_PREREQFUNC_OK;
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

/* Milliseconds as libcurl takes them on every system, where 0 would mean its default. */
static long milliseconds(double seconds) {
    return seconds < 2e6 ? (long)(seconds * 1000) + 1 : 2000000000L;
}

/* What of an address goes into the request line. */
static const char *target_of(const char *url) {
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    return path ? path : "/";
}

static CURLcode set_connection(CURL *easy, const struct exchange *e) {
    const struct settings *s = e->settings;
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_URL, e->url);
    if (e->https ||
        e->loopback) /* libcurl forgets the query where it has no memory for its copy; a proxy wants it whole */
        SET(CURLOPT_REQUEST_TARGET, target_of(e->url));
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(s->connect_timeout));
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
    SET(CURLOPT_FORBID_REUSE,
        1L); /* until it is set up: libcurl keeps one that failed in between, and calls wait for it */
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, t);
    if (e->form) {
        SET(CURLOPT_POSTFIELDS, e->form);
        SET(CURLOPT_FRESH_CONNECT,
            1L); /* on a used one that turns out to be dead libcurl would send it again by itself */
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_ERRORBUFFER, t->reply.message);
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

void reply_free(struct reply *r) {
    buffer_free(&r->body);
    buffer_free(&r->headers.text);
    *r = (struct reply){.outcome = OUTCOME_NONE};
}

static void drop_reply(struct transfer *t) {
    reply_free(&t->reply);
    t->probing = t->handle.answered = t->handle.connected = false;
}

static CURLcode add_fields(struct transfer *t) {
    CURLcode rc = add_field(t, "Accept: ", "application/json");
    if (rc == CURLE_OK && t->exchange.token)
        rc = add_field(t, "Authorization: Bearer ", t->exchange.token);
    if (rc == CURLE_OK &&
        t->exchange.loopback) /* nothing to save there: compressing costs both sides more than the bytes */
        rc = add_field(t, "Accept-Encoding: ", "identity");
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

/* The loop replaced its multi handle: the same exchange once more, on a new easy handle; but no POST that may have left, be
 * it in the parent of a fork. */
static CURLcode on_restart(struct handle *f, bool abandon) {
    struct transfer *t = link_owner(f, struct transfer, handle);
    bool left = t->exchange.form && (abandon || f->connected);
    if (abandon)
        f->easy = NULL;
    drop_easy(t); /* the header fields stay: the token they were made of may be gone */
    drop_reply(t);
    f->connected = left;
    return left ? CURLE_SEND_ERROR : build(t);
}

/* libcurl's own limit for connecting runs while nobody looks. */
static void on_stretch(struct handle *f) {
    struct transfer *t = link_owner(f, struct transfer, handle);
    double skipped = (double)(t->loop->skipped - t->skipped) / (double)NS_PER_SECOND;
    if (!f->connected && f->easy)
        curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         milliseconds(t->exchange.settings->connect_timeout + skipped));
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
        size_t used = strlen(t->reply.message);
        if (strncmp(line->data, name, sizeof name - 1) == 0)
            snprintf(t->reply.message + used, sizeof t->reply.message - used, "; the certificate was issued by %s",
                     line->data + sizeof name - 1);
    }
}

/* ---- how it ended ---- */

static bool says_any(const char *message, const char *const *words) {
    for (; *words; words++)
        if (strstr(message, *words))
            return true;
    return false;
}

/* Whether a handshake failed for a reason that TLS gives (an alert, versions, ciphers), which does not pass; all else may, such
 * as a connection that broke. libcurl has one code for both, so its words tell: OpenSSL's reasons are "SSL routines::…", GnuTLS's
 * follow "gnutls_handshake() failed: " (libcurl 8: "GnuTLS, handshake failed: "), and both have some for a broken connection. */
static bool handshake_refused(const char *message) {
    static const char *const reasons[] = {
        "alert", "SSL routines", "gnutls_handshake", "GnuTLS, handshake", "verify", "priority", NULL};
    static const char *const broken[] = {"unexpected eof", "non-properly terminated", "decoding the received",
                                         "pull function",  "push function",           NULL};
    return says_any(message, reasons) && !says_any(message, broken);
}

static enum outcome judge(struct transfer *t, CURLcode code) {
    long proxied = 0;
    const int code_number = (int)code; /* newer libcurls have codes that the headers here may not know */
    if (t->reply.body_over || t->reply.headers_over)
        return OUTCOME_TOO_LARGE;
    if (t->reply.encoding[0])
        return OUTCOME_ENCODING;
    if (t->reply.no_memory)
        return OUTCOME_MEMORY;
    if (code == CURLE_SSL_CONNECT_ERROR && !handshake_refused(t->reply.message))
        return OUTCOME_NETWORK;
    switch (code_number) {
    case CURLE_OK:
        return OUTCOME_ANSWER;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTCOME_TIMEOUT;
    case 100: /* CURLE_TOO_LARGE of libcurl 8.6: an over-long header line */
        return OUTCOME_TOO_LARGE;
    case CURLE_OUT_OF_MEMORY: /* that was an over-long header line before, where the answer had begun */
        return t->handle.answered ? OUTCOME_TOO_LARGE : OUTCOME_MEMORY;
    case CURLE_WRITE_ERROR: /* not ours, which has a flag: libcurl's decoder, where something follows the gzip stream */
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
        return proxied < 400 || proxied == 429 || (proxied >= 502 && proxied <= 504) ? OUTCOME_NETWORK : OUTCOME_PROXY;
    }
}

static int64_t latency_of(CURL *easy) {
    curl_off_t sent = 0, first = 0; /* microseconds since the transfer began */
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
    return first > sent ? (int64_t)(first - sent) * 1000 : 0;
}

static void finish(struct transfer *t, CURLcode code) {
    CURL *easy = t->handle.easy;
    loop_attempt_drop(t->loop, &t->timer);
    t->reply.outcome = judge(t, code);
    t->reply.status = 0;
    if (easy) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->reply.status);
        curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &t->reply.connects);
        if (t->loop->skipped == t->skipped) /* else a reader's pause is in it */
            t->reply.latency = latency_of(easy);
    }
    if (code != CURLE_OK &&
        (!t->reply.message[0] || strstr(t->reply.message, "Unsupported proxy"))) /* that one quotes its password */
        snprintf(t->reply.message, sizeof t->reply.message, "%s", curl_easy_strerror(code));
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
        snprintf(t->reply.message, sizeof t->reply.message, "no whole answer within %g s",
                 t->exchange.settings->timeout);
    finish(t, t->probing ? CURLE_PEER_FAILED_VERIFICATION : CURLE_OPERATION_TIMEDOUT);
}

/* ---- life ---- */

void transfer_init(struct transfer *t, void (*over)(struct transfer *)) {
    *t = (struct transfer){.over = over, .timer = {.fire = on_late}};
    t->handle.restart = on_restart;
    t->handle.stretch = on_stretch;
    t->handle.completed = on_completed;
    link_init(&t->handle.link);
}

void transfer_start(struct transfer *t, struct loop *lp, const struct exchange *e) {
    transfer_free(t);
    t->loop = lp;
    t->exchange = *e;
    t->handle.restarts = 0;
    loop_attempt_arm(lp, &t->timer, timer_span(e->settings->timeout));
    t->skipped = lp->skipped;
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
    loop_attempt_drop(t->loop, &t->timer);
    loop_detach(t->loop, &t->handle);
    drop_request(t);
}

void transfer_free(struct transfer *t) {
    transfer_stop(t);
    drop_reply(t);
}
