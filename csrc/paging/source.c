#include "paging/source.h"

#include <lauxlib.h>
#include <string.h>

#include "base/error.h"

#define READING "calira.list.reading"

/* What a reader holds while it is in the source. */
struct visit {
    struct list *list; /* held by the user value; NULL: left */
};

/* Pushes the method of the source and the source. */
void source_push(lua_State *L, const char *method) {
    luaL_checkstack(L, 8, "calira");
    lua_getiuservalue(L, 1, LIST_SOURCE);
    lua_getfield(L, -1, method);
    lua_insert(L, -2);
}

/* ---- the end of a list ---- */

/* Lets the source go: whatever is in flight below is cancelled. */
void source_close(lua_State *L, struct list *l) {
    if (l->source_closed)
        return;
    source_push(L, "close");
    lua_call(L, 1, 0);
    l->source_closed = true;
}

void source_leave(lua_State *L, struct list *l, enum list_state state) {
    l->state = state;
    l->unread = l->place < l->size;
    l->size = l->place = 0;
    cond_signal(&l->idle);
    source_close(L, l);
}

void source_close_list(lua_State *L, struct list *l) {
    if (l->state == LIST_OPEN)
        source_leave(L, l, LIST_CLOSED);
    source_close(L, l);
}

void source_settle(lua_State *L, struct list *l) {
    l->settled = false;
    if (l->held > 0)
        return;
    lua_getiuservalue(L, 1, LIST_LAST);
    lua_setiuservalue(L, 1, LIST_PLACE);
    lua_getiuservalue(L, 1, LIST_NODE);
    lua_setiuservalue(L, 1, LIST_PLACE_NODE);
    l->place_page = l->page;
}

/* Pushes the report: the source's, and what the list itself knows. `ended`: the source is at its end. */
void source_report(lua_State *L, struct list *l, bool ended) {
    source_push(L, "report");
    lua_call(L, 1, 1);
    lua_pushinteger(L, l->delivered);
    lua_setfield(L, -2, "delivered");
    static const char *const counters[] = {"filtered", "gone", "undetailed", "unreadable", "accounts"};
    for (int i = 0; i < 5; i++) {
        if (lua_getfield(L, -1, counters[i]) == LUA_TNIL) {
            lua_pushinteger(L, 0);
            lua_setfield(L, -3, counters[i]);
        }
        lua_pop(L, 1);
    }
    lua_getfield(L, -1, "verdict");
    const char *found = lua_tostring(L, -1);
    bool failed = l->state == LIST_FAILED && found && strcmp(found, "complete") == 0;
    lua_pop(L, 1);
    if ((l->state == LIST_OPEN && !ended) || l->unread || failed) {
        lua_pushliteral(L, "partial");
        lua_setfield(L, -2, "verdict");
    }
}

/* The error object on the top, which is popped, is raised by this read, when it looks again, and by every later one. */
static void fail(lua_State *L, struct list *l) {
    lua_setiuservalue(L, 1, LIST_ERROR);
    source_leave(L, l, LIST_FAILED);
}

/* The source is at its natural end: the verdict decides whether that is said by an error. An interrupt leaves the list open:
 * the source will be at its end again. */
static void end_naturally(lua_State *L, struct list *l) {
    lua_getiuservalue(L, 1, LIST_OPTIONS);
    lua_getfield(L, -1, "finish");
    lua_replace(L, -2);
    source_report(L, l, true);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        if (!error_is(L, -1))
            lua_error(L);
        fail(L, l);
        return;
    }
    l->state = LIST_ENDED;
    cond_signal(&l->idle);
}

/* ---- the source ---- */

/* The reader is in the source no more. */
static void leave(struct visit *v) {
    struct list *l = v->list;
    v->list = NULL;
    if (l) {
        l->reading = false;
        cond_signal(&l->idle);
    }
}

/* Closes what a reader holds while it is in the source: whether it came back, was closed there or was dropped, the list
 * is free for the others. */
static int visit_close(lua_State *L) {
    leave(luaL_checkudata(L, 1, READING));
    return 0;
}

/* Pushes that, to be closed. False where a finalizer that ran meanwhile has read the list, or closed it. */
static bool push_visit(lua_State *L, struct list *l) {
    lua_Integer batches = l->batches;
    struct visit *v = lua_newuserdatauv(L, sizeof *v, 1);
    v->list = NULL;
    luaL_setmetatable(L, READING);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    wait_push_strand(L);
    if (l->reading || l->batches != batches || l->state != LIST_OPEN)
        return false;
    lua_setiuservalue(L, 1, LIST_READER);
    lua_toclose(L, -1);
    v->list = l;
    l->reading = true;
    return true;
}

/* Slots of fetch. */
enum { FETCH_LIST = 1, FETCH_VISIT, FETCH_RECORDS, FETCH_PAGE, FETCH_NODE, FETCH_PART };

/* An error came out of the source. One of ours is the list's from now on; any other passes, and the list is as it was: the
 * source gives the batch that its reader misses once more. */
static int take_error(lua_State *L, struct list *l) {
    if (!error_is(L, -1))
        return lua_error(L);
    if (l->state == LIST_OPEN && !l->queue->closed)
        fail(L, l);
    return 0; /* else it was closed meanwhile, which is what its reader is told */
}

/* What the source's batch() brought: sets the list's state accordingly. */
static int fetch_k(lua_State *L, int status, lua_KContext ctx) {
    (void)ctx;
    struct list *l = lua_touserdata(L, FETCH_LIST);
    leave(lua_touserdata(L, FETCH_VISIT)); /* first: to close the slot is a call, which a hook's error can prevent */
    lua_closeslot(L, FETCH_VISIT);
    if (status != LUA_OK && status != LUA_YIELD)
        return take_error(L, l);
    lua_settop(L, FETCH_PART);
    if (lua_isboolean(L, FETCH_RECORDS)) { /* a function of the user's failed, and may have closed the list before */
        source_close_list(L, l);
        l->unread = true;
        lua_settop(L, FETCH_PAGE);
        return lua_error(L);
    }
    if (l->state != LIST_OPEN)
        return 0;
    if (lua_isnil(L, FETCH_RECORDS)) {
        end_naturally(L, l);
        return 0;
    }
    /* from here on nothing can raise: the batch is taken as a whole */
    l->place = 0;
    l->size = (lua_Integer)lua_rawlen(L, FETCH_RECORDS);
    l->page = lua_tointeger(L, FETCH_PAGE);
    l->part = lua_toboolean(L, FETCH_PART);
    l->batches++;
    lua_settop(L, FETCH_NODE);
    lua_setiuservalue(L, FETCH_LIST, LIST_NODE);
    lua_settop(L, FETCH_RECORDS);
    lua_setiuservalue(L, FETCH_LIST, LIST_BATCH);
    return 0;
}

/* (list): takes the next batch of its source. */
static int fetch(lua_State *L) {
    struct list *l = lua_touserdata(L, FETCH_LIST);
    if (!push_visit(L, l))
        return 0;
    source_settle(L, l); /* the batch is used up: of its page all is known, though filters may have kept nothing */
    source_push(L, "batch");
    if (lua_getiuservalue(L, 1, LIST_BATCH) == LUA_TNIL) { /* nothing yet */
        lua_pushboolean(L, 0);
        lua_replace(L, -2);
    }
    return fetch_k(L, lua_pcallk(L, 2, LUA_MULTRET, 0, 0, fetch_k), 0);
}

static bool may_fetch(const void *what) {
    const struct list *l = what;
    return !l->reading || l->state != LIST_OPEN;
}

/* Has the next batch taken, or waits until another reader's is: the caller looks again at the list then. */
void source_advance(lua_State *L, struct list *l, lua_KContext ctx, lua_KFunction k) {
    luaL_checkstack(L, 8, "calira");
    if (l->reading) {
        lua_pushvalue(L, 1);
        wait_enter_strand(L, "a function given to a list may not read the same list");
        wait_until(L, l->loop, &l->idle, may_fetch, l, ctx, k);
        wait_leave_strand(L);
    } else {
        lua_pushcfunction(L, fetch);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 0, ctx, k);
    }
}

/* core.reader(list): whether somebody is in its source; who, as wait_push_strand gave it (nil: the main program, from before
 * there was a scheduler). */
static int f_reader(lua_State *L) {
    const struct list *l = luaL_checkudata(L, 1, LIST);
    lua_pushboolean(L, l->reading);
    lua_getiuservalue(L, 1, LIST_READER);
    return 2;
}

void source_open(lua_State *L) {
    lua_pushcfunction(L, f_reader);
    lua_setfield(L, -2, "reader");
    static const luaL_Reg visit[] = {{"__gc", visit_close}, {"__close", visit_close}, {NULL, NULL}};
    luaL_newmetatable(L, READING);
    luaL_setfuncs(L, visit, 0);
    lua_pop(L, 1);
}
