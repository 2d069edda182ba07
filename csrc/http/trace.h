/* Events for a trace function: recorded in C as they happen, told to Lua between turns.
 *
 * Owned by the client's queue. Events hold no header, no token, no body.
 */
#ifndef CALIRA_TRACE_H
#define CALIRA_TRACE_H

#include <lua.h>
#include <stdbool.h>

struct trace;

struct trace_event {
    const char *event;   /* a literal: "request", "response", "retry", "wait" */
    const char *path;    /* copied, without the secret; NULL: none */
    const char *secret;  /* borrowed for the call; NULL: none */
    bool post;           /* of a POST, else of a GET */
    int attempt;         /* 0: none */
    long status;         /* 0: none */
    int limit;           /* calls in flight that were learnt; 0: none */
    double rate;         /* calls a second that were learnt; 0: none */
    double seconds;      /* elapsed, or the delay to come; negative: none */
    const char *message; /* copied; NULL: none */
};

struct trace *trace_new(void); /* NULL: out of memory */
void trace_free(struct trace *t);

/* Records; an event for which there is no memory, or beyond a thousand untold ones, is left out. No-op where t is NULL. */
void trace_record(struct trace *t, const struct trace_event *e);

bool trace_pending(const struct trace *t);

/* Takes out the oldest event and pushes it as a table; false, pushing nothing, where there is none. */
bool trace_take(lua_State *L, struct trace *t);

/* Makes the metatable of events that are being told. */
void trace_open(lua_State *L);

#endif
