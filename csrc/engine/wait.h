/* The one function that waits, and the condition it waits for.
 *
 * A condition lives in the userdata that it tells about (a request, a walk, a client, an event). A waiter is a userdata on
 * the stack of whoever waits; it is linked into its condition and unlinked from either side, whichever goes first.
 * Nothing here calls libcurl; Lua code runs only inside wait_until and wait_notify, never inside a turn of the loop.
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
/* Wakes all that wait now, to look again; in the finalizer of the owner, too. Allocates nothing, may be called in a turn. */
void cond_signal(struct cond *c);

/* Waits until `ready(what)`, in the gentlest way that is open (CONTRACT section 7), then returns; where the coroutine
 * yielded it calls `k` with `ctx` instead, which calls this again. `c` is signalled when `ready` may have changed. When it
 * returns, nothing has run between the last look at `what`, which said yes, and the return: act before the next Lua call.
 * The stack above the caller's own slots is not kept: continuations start with lua_settop. Raises what interrupts it
 * (Ctrl-C), kind `argument` where nothing under way could end the wait, kind `closed` while the state is being closed. */
typedef bool wait_ready(const void *what);
void wait_until(lua_State *L, struct loop *lp, struct cond *c, wait_ready *ready, const void *what, lua_KContext ctx,
                lua_KFunction k);

/* Tells Lua what is new: notifiers, waiters that fired, tasks that can go on. True where more can be told at once. Raises
 * nothing of its own. */
bool wait_notify(lua_State *L, struct loop *lp);

/* Pushes what runs here, for others that wait until it has done what it begins now. */
void wait_push_strand(lua_State *L);

/* Raises `argument` with the message where whoever is in the list on the top, which is popped, waits (through whatever tasks) for
 * what runs here, or is the same: so that a wait for it could never end. Else what runs here counts as waiting for it, and what it
 * waited for before is pushed: wait_leave_strand pops that once the wait is over. (A coroutine that yields is told of by its
 * scheduler.) */
void wait_enter_strand(lua_State *L, const char *message);
void wait_leave_strand(lua_State *L);

/* Adds the functions of this layer to the module table on the top. */
void wait_open(lua_State *L);

#endif
