/* The one function that waits, and the condition it waits for.
 *
 * A condition lives in the userdata that it tells about (a request, a walk, a client, a sleep). A waiter is a userdata on
 * the stack of whoever waits; it is linked into its condition and unlinked from either side, whichever goes first.
 * Nothing here calls libcurl; Lua code runs only inside wait_on and wait_notify, never inside a turn of the loop.
 */
#ifndef CALIRA_WAIT_H
#define CALIRA_WAIT_H

#include <lua.h>
#include <stdbool.h>

#include "base/link.h"
#include "engine/loop.h"

struct cond {
    struct link waiters;
};

/* Something with news for Lua (trace events, a token wanted). Embedded; linked into loop->notifiers by its owner. */
struct notifier {
    struct link link;
    void (*notify)(lua_State *L, struct notifier *); /* may run Lua; must not raise */
};

void cond_init(struct cond *c);
void cond_signal(struct cond *c); /* wakes all that wait now; allocates nothing, may be called inside a turn */
void cond_close(struct cond *c);  /* lets go of all waiters without waking them: the owner goes away */

/* Waits until `c` is signalled, in the gentlest way that is open (CONTRACT section 7), then returns, or, where the
 * coroutine yielded, calls `k` instead with `ctx`: the caller looks again at what it waits for. The stack above the
 * caller's own slots is not kept: continuations start with lua_settop. Raises what interrupts it (Ctrl-C). */
void wait_on(lua_State *L, struct loop *lp, struct cond *c, lua_KContext ctx, lua_KFunction k);

/* Tells Lua what is new: notifiers, waiters that fired, tasks that can go on. True where more can be told at once. Raises
 * nothing of its own. */
bool wait_notify(lua_State *L, struct loop *lp);

/* Adds the functions of this layer to the module table on the top. */
void wait_open(lua_State *L);

#endif
