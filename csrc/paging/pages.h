/* The pages of a list, asked for ahead of the reader and delivered in order.
 *
 * Part of a walk, which owns it. Owns its calls, a ring of slots by page number. The client is borrowed: the walk holds it
 * in a user value.
 */
#ifndef CALIRA_PAGES_H
#define CALIRA_PAGES_H

#include <lua.h>
#include <stdint.h>

#include "http/client.h"

struct pages {
    struct client *client;
    struct cond changed;  /* any of the calls is over */
    struct budget budget; /* of retries, for all pages together */
    const char *path;     /* borrowed from the walk's query table */
    int per_page, lookahead;
    int64_t next, asked; /* the page to read next; the page to ask for next */
    int64_t requests;    /* calls asked for, and further attempts of those delivered */
    int room;
    struct call *slots; /* owned; room of them, at most lookahead + 2; NULL before the first page */
};

/* Prepares; owns nothing yet. */
void pages_init(struct pages *p, struct client *client, const char *path, int per_page, int lookahead);

/* Asks for pages up to `last`, at most `lookahead` ahead of the reader, and, if `need`, for the next one whatever these
 * say. `taken` (0 or 1): the next page is about to be delivered. `query`: stack index of the query array. */
void pages_ask(lua_State *L, struct pages *p, int query, int64_t last, int taken, bool need);

/* No more than `most` pages are asked for ahead from now on, nor more than pages_init said. */
void pages_lookahead(struct pages *p, int64_t most);

/* The call of the next page, or NULL where it was not asked for yet. */
struct call *pages_head(struct pages *p);

/* The head was read: frees its call and goes on to the page after it. */
void pages_advance(struct pages *p);

/* Gives up all that was asked for; `next` is the page to go on with. */
void pages_restart(struct pages *p, int64_t next);

/* Frees everything, cancelling what is under way. Idempotent. */
void pages_close(struct pages *p);

#endif
