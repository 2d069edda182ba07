/* The list that a user holds: a userdata that reads records out of a source of batches.
 *
 * A source is a walk, or a table of the Lua layer, with the methods
 *   batch(taken) records, page, node, part, …: an array, the server's page number, the node; part: more of this page
 *               follows; nothing at the end; false and an error where a function of the user's failed. May wait.
 *               `taken`: the array that the caller got last, false for none: where that is not the one delivered last,
 *               an interrupt (a hook's error) came between, and it is delivered again. nil: the caller has it.
 *   total(), progress(), report(), want(n), close()
 * and belongs to its list alone. The list owns nothing in C: source, batch and error are its user values. It sees to order
 * among readers, to the limit, and to its state: open, then one of ended, failed or closed, whichever comes first.
 */
#ifndef CALIRA_LIST_H
#define CALIRA_LIST_H

#include <lua.h>

/* Adds the function `list` to the module table on the top. */
void list_open(lua_State *L);

#endif
