/* A list and its source: who reads it, one reader at a time, and how it ends.
 *
 * The list owns nothing in C: source, batch and error are its user values. Its state is open, then one of ended, failed or
 * closed, whichever comes first. list.c has what users call; list.h says what a source is.
 */
#ifndef CALIRA_SOURCE_H
#define CALIRA_SOURCE_H

#include <lua.h>

#include "http/client.h"

#define LIST "calira.list"

/* User values. OPTIONS is the table given to core.list; LAST the record taken last; READER who is in the source; GATHERED the arrays
 * that readers have under way or gave up (gathered.h); PLACE and PLACE_NODE are LAST and NODE as they were when all that had
 * been taken was its readers' and the batch was used up, or then went on to be: where a cursor is. */
enum {
    LIST_SOURCE = 1,
    LIST_OPTIONS,
    LIST_BATCH,
    LIST_NODE,
    LIST_LAST,
    LIST_ERROR,
    LIST_READER,
    LIST_GATHERED,
    LIST_PLACE,
    LIST_PLACE_NODE,
    LIST_VALUES = 10
};

enum list_state { LIST_OPEN, LIST_ENDED, LIST_FAILED, LIST_CLOSED };

struct list {
    struct loop *loop;
    const struct queue *queue; /* of the client, which the options hold */
    struct cond idle;          /* no coroutine is in the source any more */
    enum list_state state;
    bool reading;            /* a coroutine is in the source */
    bool source_closed;      /* the source was told to let go of what is in flight */
    lua_Integer batches;     /* batches taken */
    lua_Integer place, size; /* in the batch */
    lua_Integer page;        /* the server's number of the batch's page */
    bool part;               /* more of this page follows */
    lua_Integer limit;       /* -1: none */
    lua_Integer delivered;   /* to a reader, or into the array that one has under way */
    lua_Integer held;        /* of these, in arrays that their callers have not got */
    lua_Integer place_page;  /* the page of PLACE; 0: none */
    bool settled;            /* a cursor is where LAST, NODE and `page` are, not yet written to PLACE */
    bool unread;             /* records were left in the batch when the list was closed or its limit reached */
};

/* In all of these the list is in slot 1. */

/* Pushes the method of the source, and the source. */
void source_push(lua_State *L, const char *method);

/* Tells the source to let go of what is in flight, once. */
void source_close(lua_State *L, struct list *l);

/* The list is open no more: closes the source. */
void source_leave(lua_State *L, struct list *l, enum list_state state);

/* Closes the list, whatever its state. */
void source_close_list(lua_State *L, struct list *l);

/* Writes down where a cursor is, unless records are held that it would pass: before LAST, NODE or `page` change for other reasons than
 * a record that its caller got. Runs no other code. */
void source_settle(lua_State *L, struct list *l);

/* Pushes the report: the source's, and what the list itself knows. `ended`: the source is at its end. */
void source_report(lua_State *L, struct list *l, bool ended);

/* Has the next batch taken, or waits until another reader's is; then returns, or calls `k` with `ctx` where the coroutine
 * yielded: the caller looks again at the list. Raises what the source raises and is not ours to keep. */
void source_advance(lua_State *L, struct list *l, lua_KContext ctx, lua_KFunction k);

/* Makes the metatable of readers; adds the function `reader` to the module table on the top. */
void source_open(lua_State *L);

#endif
