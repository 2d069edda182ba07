/* The pages of a list, asked for ahead of the reader and taken in order.
 *
 * Part of a walk, which owns it. Owns its calls, a ring of slots by page number. The client is borrowed: the walk holds it
 * in a user value. A pointer to a slot is good until the next call into Lua, which may close all of this.
 */
#ifndef CALIRA_PAGES_H
#define CALIRA_PAGES_H

#include <lua.h>
#include <stdint.h>

#include "http/client.h"

enum { PAGES_FIND_LOOKAHEAD = -1 };

struct pages {
    struct client *client;
    struct cond changed; /* any of the calls is over, or this was closed */
    int per_page;
    int most;            /* pages ahead of the reader at the most */
    int lookahead;       /* pages ahead of the reader now */
    bool finds;          /* the lookahead follows the reader: more while it waits, fewer while it is slow */
    int unhurried;       /* pages in a row for which the reader had not to wait */
    int64_t next, asked; /* the page to read next; the page to ask for next */
    int64_t requests;    /* calls asked for, and further attempts of those taken */
    int room;
    struct call *slots; /* owned; room of them, most + 2; NULL before the first page and when closed */
};

/* Prepares; owns nothing yet. `lookahead`: pages ahead of the reader, or PAGES_FIND_LOOKAHEAD. */
void pages_init(struct pages *p, struct client *client, int per_page, int lookahead);

/* Asks for pages up to `last`, at most `lookahead` ahead of the reader, and, if `need`, for the next one whatever these
 * say. `taken` (0 or 1): the next page is about to be taken. `path`, `query`: stack indices. Calls into Lua. */
void pages_ask(lua_State *L, struct pages *p, int path, int query, int64_t last, int taken, bool need);

/* No more than `most` pages are asked for ahead from now on. */
void pages_limit_lookahead(struct pages *p, int64_t most);

/* The reader has to wait for the next page · had not to. */
void pages_waited(struct pages *p);
void pages_did_not_wait(struct pages *p);

/* The call of the next page, or NULL where it was not asked for yet. */
struct call *pages_head(const struct pages *p);

/* How many of the pages asked for and not taken have come. */
int pages_over(const struct pages *p);

/* The head was read: frees its call and goes on to the page after it. */
void pages_advance(struct pages *p);

/* Gives up all that was asked for; `next` is the page to go on with. */
void pages_restart(struct pages *p, int64_t next);

/* Frees everything, cancelling what is under way. Idempotent. */
void pages_close(struct pages *p);

#endif
