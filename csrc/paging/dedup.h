/* Telling records apart: which of a page's records were seen in this pass, or in one before.
 *
 * Part of a walk, which owns it: three sets of ids. Ids that are no whole numbers get a number from a Lua table at a stack
 * index that the walk gives. A record without a usable id is never taken for a duplicate. A page is taken in two steps: the
 * first may raise and changes nothing that counts, the second cannot fail.
 */
#ifndef CALIRA_DEDUP_H
#define CALIRA_DEDUP_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/idset.h"

#define DEDUP_NO_ID UINT64_MAX

/* Ids in the order in which they came. */
struct id_order {
    uint64_t *ids;
    size_t count, room;
};

struct dedup {
    struct idset current, previous;              /* ids of this pass and of the one before */
    struct idset all;                            /* ids of all passes before this one */
    uint64_t other_ids;                          /* numbers given to ids that are no whole numbers */
    int64_t unidentified, unidentified_previous; /* records without an id, by pass */
    int64_t unidentified_first;                  /* those of the first pass, which were delivered */
    bool later_pass;                             /* only what no pass brought is new */
    bool keep_order;                             /* the order of the ids is compared with that of the pass before */
    bool in_order;                               /* so far they came in that order */
    struct id_order order, order_previous;
};

/* The numbers of the ids of the page (an array of records) on the top, DEDUP_NO_ID for none: an array in a userdata that is
 * pushed. Makes room for them. `other_ids`: stack index of the table for ids that are no whole numbers. Raises only where
 * memory runs out. */
const uint64_t *dedup_number(lua_State *L, struct dedup *d, int other_ids);

struct dedup_page {
    lua_Integer kept, fresh; /* records: to deliver; new to this pass */
};

/* Takes the page at `page` (stack index) into account, whose numbers dedup_number gave, and leaves in it the records to
 * deliver that come after its first `skip`. Neither allocates nor raises. */
struct dedup_page dedup_take(lua_State *L, struct dedup *d, int page, const uint64_t *numbers, lua_Integer skip);

/* The place of the record whose id is the value on the top, which is popped, in the array below it; 0: it is not there. */
lua_Integer dedup_place(lua_State *L);

/* Starts the next pass. False: out of memory, and it may be called again. */
bool dedup_next_pass(struct dedup *d);

/* Whether this pass brought the same ids as the one before. */
bool dedup_same(const struct dedup *d);

void dedup_free(struct dedup *d);

/* Adds the function `seen` to the module table on the top. */
void dedup_open(lua_State *L);

#endif
