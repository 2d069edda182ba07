/* One HTTP exchange: an easy handle, a bounded body, headers, an outcome. No Lua.
 *
 * Embedded in, and owned by, a call. Owns its easy handle, request header list and buffers; borrows the settings, which
 * the client keeps for as long as any call of it lives. transfer_free may be called at any time and again.
 */
#ifndef CALIRA_TRANSFER_H
#define CALIRA_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "engine/loop.h"
#include "http/headers.h"

/* How every exchange of a client is made. All texts are borrowed and may be NULL where libcurl's default serves. */
struct settings {
    double timeout, connect_timeout; /* seconds */
    size_t max_body;                 /* bytes after decompression */
    const char *user_agent, *proxy, *ca_file, *ca_path;
    bool insecure;
};

enum outcome {
    OUTCOME_NONE,      /* not over */
    OUTCOME_ANSWER,    /* a whole answer, whatever its status */
    OUTCOME_NETWORK,   /* no answer, or one cut short */
    OUTCOME_PROXY,     /* the proxy refused: no use in trying again */
    OUTCOME_TLS,       /* the certificate or the handshake */
    OUTCOME_TIMEOUT,   /* the time for one attempt ran out */
    OUTCOME_TOO_LARGE, /* body or headers beyond their bound */
    OUTCOME_ENCODING,  /* a Content-Encoding not asked for, or a broken gzip stream */
    OUTCOME_MEMORY,    /* out of memory, after several tries */
    /* set by the client */
    OUTCOME_DEADLINE, /* the time for the call with all its retries ran out */
    OUTCOME_CANCELLED,
    OUTCOME_CLOSED,  /* the client was closed */
    OUTCOME_LIMITED, /* the server asks to wait for longer than the call may */
    OUTCOME_TOKEN,   /* no token could be had: the client has the error object */
};

/* What one exchange asks for. The texts must live until it is over; the token only until it is started. */
struct exchange {
    const char *url, *token, *form; /* token may be NULL; form: the body of a POST, or NULL for a GET */
    bool https, loopback;
    const struct settings *settings;
};

/* What it brought. Owns its buffers. */
struct reply {
    enum outcome outcome;
    long status, connects;
    int64_t latency; /* ns from the request to the first byte of the answer; 0: none */
    struct buffer body;
    struct headers headers;
    bool body_over, headers_over, no_memory;
    char encoding[32];             /* the Content-Encoding that was refused; "": none */
    char message[CURL_ERROR_SIZE]; /* what went wrong, for people */
};

/* Frees its buffers and forgets the rest. Idempotent. */
void reply_free(struct reply *r);

struct transfer {
    struct handle handle;
    struct loop *loop; /* NULL: nothing was started */
    struct exchange exchange;
    struct curl_slist *fields;
    struct reply reply;
    struct timer
        timer;       /* the time for this attempt: libcurl's own runs while nobody looks, and not while a call waits for
                           a connection */
    int64_t skipped; /* loop->skipped when it began */
    bool probing;    /* the check of the certificate failed, and who issued it is being asked */
    void (*over)(struct transfer *); /* called after the turn in which it ended */
};

/* Prepares a transfer that owns nothing. */
void transfer_init(struct transfer *t, void (*over)(struct transfer *));

/* Starts an exchange; whatever goes wrong is told through over(), never here. Drops what an earlier one left. */
void transfer_start(struct transfer *t, struct loop *lp, const struct exchange *e);

/* Ends it, cancelling what is under way, and frees all but the reply. over() is not called. */
void transfer_stop(struct transfer *t);

/* transfer_stop, and frees the reply too. */
void transfer_free(struct transfer *t);

#endif
