/* Telling records apart: which of a page's records were seen in this pass, or in one before.
 *
 * Part of a walk, which owns it: three sets of ids. Ids that are no whole numbers get a number from a Lua table at a stack
 * index that the walk gives. A record without a usable id is never taken for a duplicate.
 */
#ifndef CALIRA_DEDUP_H
#define CALIRA_DEDUP_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/idset.h"

struct dedup {
    struct idset current, previous;              /* ids of this pass and of the one before */
    struct idset all;                            /* ids of all passes before this one */
    uint64_t names;                              /* numbers given to other ids */
    int64_t unidentified, unidentified_previous; /* records without an id, by pass */
    int64_t unidentified_first;                  /* those of the first pass, which were delivered */
    bool later_pass;                             /* a later pass: only what no pass brought is new */
    bool in_order;                               /* so far the ids came in the order of the pass before */
    int64_t place;                               /* records of this pass so far */
};

enum dedup_result { DEDUP_NEW, DEDUP_KNOWN, DEDUP_AGAIN, DEDUP_NO_MEMORY };

/* Takes the record on the top of the stack into account and leaves it there. NEW: to deliver; KNOWN: a pass before brought
 * it; AGAIN: this pass brought it twice. `names`: stack index of the table for other ids; `order`: of the array of this
 * pass's ids, with those of the pass before overwritten as they are compared, or 0. */
enum dedup_result dedup_record(lua_State *L, struct dedup *s, int names, int order);

/* The place of the record whose id is the value on the top, which is popped, in the array below it; 0: it is not there. */
lua_Integer dedup_place(lua_State *L);

struct dedup_page {
    lua_Integer kept, fresh; /* records: to deliver; new to this pass */
};

/* Takes the records of the array on the top, and leaves in it those to deliver that come after its first `skip`. Raises
 * only where memory runs out. */
struct dedup_page dedup_page(lua_State *L, struct dedup *s, int names, int order, lua_Integer skip);

/* Starts the next pass. False: out of memory. */
bool dedup_next_pass(struct dedup *s);

/* Whether this pass brought the same ids as the one before. */
bool dedup_same(const struct dedup *s);

void dedup_free(struct dedup *s);

/* Adds the function `seen` to the module table on the top. */
void dedup_open(lua_State *L);

#endif
