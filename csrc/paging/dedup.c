#include "paging/dedup.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "engine/loop.h"

#define SEEN "calira.seen"

#define OTHER (UINT64_C(1) << 63) /* numbers of ids that are no whole number themselves */

/* The number of the id on the top. */
static uint64_t number_of(lua_State *L, struct dedup *d, int other_ids) {
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0)
        return (uint64_t)lua_tointeger(L, -1);
    if (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
        return DEDUP_NO_ID;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, other_ids) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushinteger(L, (lua_Integer)d->other_ids + 1);
        lua_rawset(L, other_ids);
        return OTHER | ++d->other_ids;
    }
    uint64_t number = OTHER | (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number;
}

static bool order_reserve(struct id_order *o, size_t count) {
    if (o->count + count <= o->room)
        return true;
    size_t room = 2 * o->room + count;
    uint64_t *ids = realloc(o->ids, room * sizeof *ids);
    if (!ids)
        return false;
    o->ids = ids;
    o->room = room;
    return true;
}

const uint64_t *dedup_number(lua_State *L, struct dedup *d, int other_ids) {
    int page = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, page);
    luaL_checkstack(L, 6, "calira");
    uint64_t *numbers = lua_newuserdatauv(L, (size_t)count * sizeof *numbers + 1, 0);
    lua_pushliteral(L, "id");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, page, i);
        lua_pushvalue(L, page + 2);
        lua_rawget(L, -2);
        numbers[i - 1] = number_of(L, d, other_ids);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    if (!idset_reserve(&d->current, (size_t)count) || (d->keep_order && !order_reserve(&d->order, (size_t)count)))
        luaL_error(L, "not enough memory");
    return numbers;
}

/* Compares an id with what the pass before had in this place, and keeps it. */
static void keep_place(struct dedup *d, uint64_t number) {
    if (!d->keep_order)
        return;
    size_t place = d->order.count++;
    d->order.ids[place] = number;
    if (place >= d->order_previous.count || d->order_previous.ids[place] != number || number == DEDUP_NO_ID)
        d->in_order = false;
}

/* Whether the record is to be delivered; *fresh: this pass had not brought it. */
static bool take(struct dedup *d, uint64_t number, bool *fresh) {
    keep_place(d, number);
    *fresh = true;
    if (number == DEDUP_NO_ID) { /* in a later pass it cannot be told from those delivered */
        d->unidentified++;
        return !d->later_pass;
    }
    *fresh = idset_add(&d->current, number) == IDSET_NEW;
    return *fresh && !(d->later_pass && idset_has(&d->all, number));
}

struct dedup_page dedup_take(lua_State *L, struct dedup *d, int page, const uint64_t *numbers, lua_Integer skip) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, page);
    struct dedup_page result = {.kept = 0};
    for (lua_Integer i = 1; i <= count; i++) {
        bool fresh, deliver = take(d, numbers[i - 1], &fresh);
        result.fresh += fresh;
        if (deliver && i > skip && ++result.kept < i) {
            lua_rawgeti(L, page, i);
            lua_rawseti(L, page, result.kept);
        }
    }
    for (lua_Integer i = count; i > result.kept; i--) {
        lua_pushnil(L);
        lua_rawseti(L, page, i);
    }
    return result;
}

lua_Integer dedup_place(lua_State *L) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, -2), found = 0;
    for (lua_Integer i = 1; i <= count && !found; i++) {
        lua_rawgeti(L, -2, i);
        lua_getfield(L, -1, "id");
        if (lua_rawequal(L, -1, -3))
            found = i;
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return found;
}

bool dedup_next_pass(struct dedup *d) {
    if (!idset_merge(&d->all, &d->current))
        return false;
    idset_free(&d->previous);
    d->previous = d->current;
    d->current = (struct idset){.entries = NULL};
    struct id_order order = d->order_previous;
    d->order_previous = d->order;
    d->order = order;
    d->order.count = 0;
    if (!d->later_pass)
        d->unidentified_first = d->unidentified;
    d->unidentified_previous = d->unidentified;
    d->unidentified = 0;
    d->later_pass = true;
    d->in_order = true;
    return true;
}

bool dedup_same(const struct dedup *d) {
    return d->current.count == d->previous.count && d->unidentified == d->unidentified_previous &&
           idset_holds(&d->previous, &d->current);
}

void dedup_free(struct dedup *d) {
    idset_free(&d->current);
    idset_free(&d->previous);
    idset_free(&d->all);
    free(d->order.ids);
    free(d->order_previous.ids);
    d->order = d->order_previous = (struct id_order){.ids = NULL};
}

/* ---- the same for the Lua layer, over several lists ---- */

struct seen {
    struct resource resource;
    struct dedup dedup;
    lua_Integer count, kept; /* of the array told apart last: records it had, and has */
};

/* User values: the table for ids that are no whole numbers, the array told apart last. */
enum { SEEN_OTHER_IDS = 1, SEEN_ARRAY, SEEN_VALUES = 2 };

static void release(struct resource *resource) {
    dedup_free(&link_owner(resource, struct seen, resource)->dedup);
}

/* core.seen(): a set of ids. */
static int f_seen(lua_State *L) {
    struct loop *lp = loop_of(L);
    loop_check_open(L, lp);
    struct seen *s = lua_newuserdatauv(L, sizeof *s, SEEN_VALUES);
    *s = (struct seen){.resource = {.release = release}};
    link_init(&s->resource.link);
    luaL_setmetatable(L, SEEN);
    loop_own(lp, &s->resource);
    lua_newtable(L);
    lua_setiuservalue(L, -2, SEEN_OTHER_IDS);
    return 1;
}

/* seen:dedup(records): leaves in the array only the records whose ids are new; returns how many there were, and are. Asked
 * about the same array again, because an interrupt came between, it says the same. */
static int seen_dedup(lua_State *L) {
    struct seen *s = luaL_checkudata(L, 1, SEEN);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, SEEN_ARRAY);
    bool again = lua_rawequal(L, 2, 3);
    lua_settop(L, 2);
    if (!again) {
        lua_getiuservalue(L, 1, SEEN_OTHER_IDS);
        lua_pushvalue(L, 2);
        const uint64_t *numbers = dedup_number(L, &s->dedup, 3);
        s->count = (lua_Integer)lua_rawlen(L, 2);
        s->kept = dedup_take(L, &s->dedup, 2, numbers, 0).kept;
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, 1, SEEN_ARRAY);
    }
    lua_pushinteger(L, s->count);
    lua_pushinteger(L, s->kept);
    return 2;
}

static int seen_gc(lua_State *L) {
    struct seen *s = luaL_checkudata(L, 1, SEEN);
    link_drop(&s->resource.link);
    release(&s->resource);
    return 0;
}

void dedup_open(lua_State *L) {
    lua_pushcfunction(L, f_seen);
    lua_setfield(L, -2, "seen");
    luaL_newmetatable(L, SEEN);
    lua_pushcfunction(L, seen_gc);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, seen_dedup);
    lua_setfield(L, -2, "dedup");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
