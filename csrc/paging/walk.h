/* A walk over the pages of one list of the API, as a userdata of the Lua layer: passes, new records, verdict.
 *
 * A walk is a source of batches (see list.h). Owns its pages and its sets of ids; its user values hold the client, the
 * query, the page in hand and what an exact walk keeps. Collecting or closing it cancels what is in flight. walk.c has its
 * life and its methods, reading.c how pages become batches.
 */
#ifndef CALIRA_WALK_H
#define CALIRA_WALK_H

#include <lua.h>

#include "paging/dedup.h"
#include "paging/pages.h"
#include "paging/pass.h"

#define WALK "calira.walk"

/* User values. RESPONSE: that of the page in hand, until its records are taken; BATCH: the records of the batch given last,
 * which is given again until the one after it is asked for; KEPT: the pages of an exact walk. */
enum {
    WALK_CLIENT = 1,
    WALK_PATH,
    WALK_QUERY,
    WALK_SCOPE,
    WALK_OTHER_IDS,
    WALK_RESPONSE,
    WALK_BATCH,
    WALK_KEPT,
    WALK_AFTER,
    WALK_VALUES = 9
};

enum walk_state {
    WALK_READING,
    WALK_DELIVERING, /* an exact walk is proved: its kept pages are delivered */
    WALK_DONE,
    WALK_CLOSED,
};

/* What batch() says beside the records. */
struct batch {
    int64_t number; /* from 1; 0: none was given yet */
    int64_t page, pages;
    int pass;
};

struct walk {
    struct resource resource;
    struct pages pages;
    struct pass pass;
    struct dedup dedup;
    struct loop *loop;
    enum walk_state state;
    int64_t first;       /* the page to start with */
    int64_t size;        /* of a page, where an earlier run found it to be another than the server says; else 0 */
    int64_t size_before; /* of a page, as the server said in an earlier run; 0: not known */
    struct reading reading;
    struct batch batch;
    bool in_hand;   /* the response of the next page was taken, and not yet its records */
    bool resumed;   /* what comes before the first page was read by an earlier run */
    bool skipping;  /* resume: the record to go on after was not found yet */
    bool back;      /* resume: it was not on its page any more, so the page before is looked at */
    bool unsettled; /* an exact walk that was given up */
    int64_t want;   /* records that are still wanted; -1: all */
    int64_t received, duplicates, pages_read, total_first, total_last;
    int64_t kept, delivered;       /* pages of an exact walk */
    uint64_t page_digest;          /* of the body of the page before, where it had records without an id; else 0 */
    uint64_t digest, digest_first; /* of all such bodies of this pass; of the first one */
};

/* The walk in slot 1. */
struct walk *walk_check(lua_State *L);

/* Pushes the report of a walk. CONTRACT section 5. */
void walk_push_report(lua_State *L, const struct walk *w);

/* The next batch of the walk in slot 1, with its number in slot 2: pushes what batch() returns. The continuation of itself. */
int reading_batch(lua_State *L, int status, lua_KContext ctx);

/* Asks for the page that is needed next, without waiting for it. */
void reading_start(lua_State *L, struct walk *w);

/* What is known of the reading after the pass that is over; of a walk that is done, for its report. */
struct reading reading_now(const struct walk *w);

/* Whether everything was read, be it that the last batch was given only now. */
bool reading_over(const struct walk *w);

/* Whether reading_batch would not wait. */
bool reading_ready(const struct walk *w);

/* Pushes the server's total, asking for the first page if need be, or nil. The continuation of itself. */
int reading_total(lua_State *L, int status, lua_KContext ctx);

/* Adds the function `walk` to the module table on the top. */
void walk_open(lua_State *L);

#endif
