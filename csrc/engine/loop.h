/* The engine of one Lua state: a curl multi handle driven by curl_multi_socket_action over one poller.
 *
 * Knows sockets and deadlines, nothing of Calira and nothing of Lua values. Lives as a userdata in the registry, so it
 * outlives all that uses it; in lua_close every finalizer runs before any memory is freed, and what is told of a closed
 * loop is a no-op. Owns: the multi handle, the poller, the list of sockets. Borrows: handles, timers and resources, which
 * their owners take out before they go away.
 *
 * After a fork the child leaves the parent's handle and connections as they are and sends its calls again on new ones;
 * after a CURLM error or a transfer out of memory the handle is replaced in the same way (libcurl 7.88 does not survive
 * one). A POST that may have left is never sent again: its transfer ends.
 */
#ifndef CALIRA_LOOP_H
#define CALIRA_LOOP_H

#include <curl/curl.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/link.h"
#include "base/timer.h"
#include "engine/poller.h"

/* One easy handle on its way. Embedded in, and owned by, a transfer. */
struct handle {
    struct link link; /* loop->handles while attached, loop->completed until told */
    CURL *easy;       /* owned by the transfer; NULL while there is none */
    CURLcode code;    /* how it ended */
    int restarts;     /* times that it made the loop replace the multi handle, and was sent again */
    bool attached;    /* added to the multi handle */
    bool connected;   /* it has a connection, and what it asks may have left */
    bool answered;    /* the head of an answer has begun to arrive */
    /* Makes the easy handle anew, or says why it is not to be sent again. abandon: without touching the old one. */
    CURLcode (*restart)(struct handle *, bool abandon);
    void (*stretch)(struct handle *);   /* more of the time since it began was not the server's: see loop_skipped */
    void (*completed)(struct handle *); /* told after the turn; may start others */
};

/* What an object of Lua owns in C. The loop knows all of them: what finalizers make while the state is closed has no
 * finalizer of its own any more. Embedded in the userdata, which drops the link in its finalizer. */
struct resource {
    struct link link;
    void (*release)(struct resource *); /* frees what it owns; idempotent; touches no Lua state */
};

struct loop {
    CURLM *multi; /* NULL before the first transfer, after a failure to make one, and after loop_close */
    struct poller poller;
    struct timers timers;   /* deadlines by the clock */
    struct timers attempts; /* deadlines of attempts, by the clock less `skipped` */
    int64_t skipped;        /* time in which nobody looked at what servers had sent */
    int64_t looked;         /* when the loop looked last */
    int64_t curl_when;      /* when libcurl wants its time; -1: never */
    struct link handles, completed;
    struct link fired;     /* waiters whose condition came true: wait.c's */
    struct link notifiers; /* clients with something to tell Lua: wait.c's */
    struct link resources;
    int *sockets; /* those that libcurl has open, for a fork */
    size_t socket_count, socket_room;
    unsigned generation; /* of the process: see loop_check_fork */
    bool broken;         /* replace the multi handle at the end of this turn */
    bool charged;        /* whose fault that is was counted already */
    bool polled;         /* a host polls the descriptor: keep the alarm set */
    bool turning;        /* inside a turn, at whose end the alarm is set */
    bool tasks;          /* the scheduler has tasks to resume */
    bool closed;
};

/* The engine of a state, made on first use. Raises a Lua error where the system refuses descriptors or memory. */
struct loop *loop_of(lua_State *L);

/* Raises `closed` while the state is being closed and the engine has gone: nothing new can be made then. */
void loop_check_open(lua_State *L, const struct loop *lp);

/* From now on the loop releases `r` should the state be closed before its owner's finalizer runs. */
void loop_own(struct loop *lp, struct resource *r);

/* Does what is due, waiting at most `ns` for it. Calls completed() of what ended and fire() of timers. Never touches Lua. */
void loop_turn(struct loop *lp, int64_t ns);

/* The same for a wait that blocks and goes on: leaves the alarm as it is, since it would wake that wait itself. */
void loop_drive(struct loop *lp, int64_t ns);

/* Attaches a handle whose easy handle is ready: the transfer starts. A failure completes it in the next turn. */
void loop_attach(struct loop *lp, struct handle *f);

/* Detaches a handle, cancelling its transfer; no-op where it is not attached. The easy handle stays the owner's. */
void loop_detach(struct loop *lp, struct handle *f);

void loop_timer_arm(struct loop *lp, struct timer *t, int64_t when);
void loop_timer_drop(struct loop *lp, struct timer *t);

/* The time limit of an attempt, `ns` from now: only time in which the loop looks counts (at most a quarter of a second of
 * each pause that a reader makes), and what has arrived is taken in before anybody is judged late. */
void loop_attempt_arm(struct loop *lp, struct timer *t, int64_t ns);
void loop_attempt_drop(struct loop *lp, struct timer *t);

/* Nanoseconds until the next deadline; -1: none; 0: now. */
int64_t loop_next(struct loop *lp);

/* Whether anything is under way, tasks too; where nothing is, a wait that begins now could never end. */
bool loop_busy(const struct loop *lp);

/* Whether tasks are left, and nothing is under way that could end a wait: only they can. */
bool loop_stuck(const struct loop *lp);

/* Sets the alarm of the descriptor, if a host polls it; needed whenever something becomes due outside of a turn. */
void loop_alarm(struct loop *lp);

/* Options of an easy handle that tie its sockets to this loop. */
CURLcode loop_tie_sockets(struct loop *lp, CURL *easy);

/* Starts anew in the child of a fork; every entry from Lua that touches the engine passes here. Costs a comparison. */
void loop_check_fork(struct loop *lp);

#endif
