/* An array that a reader has under way: what collect() or pages() took of a list and its caller has not got yet. A userdata that the list
 * holds until then, and that is closed with its reader's frame: what was given up, by an error, an interrupt or a cancellation, is there
 * for the next reader. In all of these the list is in slot 1.
 */
#ifndef CALIRA_GATHERED_H
#define CALIRA_GATHERED_H

#include <lua.h>

#include "paging/source.h"

/* User values. */
enum { GATHERED_RECORDS = 1, GATHERED_NODES, GATHERED_READER, GATHERED_VALUES = 3 };

struct gathered {
    lua_Integer count, taken; /* records in it; how many of these another reader has got */
    bool given_up;
};

/* Pushes a new one, to be closed. */
struct gathered *gathered_open(lua_State *L);

/* Adds the record and the node (or nil) on the top, which are popped, to the one in slot 2. Raises where memory runs out: nothing
 * was added then. */
void gathered_add(lua_State *L, struct gathered *g);

/* Pushes the next record that was given up and its node, and returns of which; NULL, pushing nothing: none. It counts as taken only by
 * `taken`++. Runs no other code. */
struct gathered *gathered_next(lua_State *L, const struct list *l);

/* The caller of the reader gets the one in slot 2: the list holds it no more. May raise: then it is given up. */
void gathered_release(lua_State *L, struct list *l, struct gathered *g);

/* Makes the metatable. */
void gathered_init(lua_State *L);

#endif
