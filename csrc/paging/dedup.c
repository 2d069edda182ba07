#include "paging/dedup.h"

#include <lauxlib.h>

#define SEEN "calira.seen"

#define OTHER (UINT64_C(1) << 63) /* numbers of ids that are no whole number themselves */

/* The number of the id on the top, or false where the record counts as one without. */
static bool number_of(lua_State *L, struct dedup *s, int names, uint64_t *number) {
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0) {
        *number = (uint64_t)lua_tointeger(L, -1);
        return true;
    }
    if (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
        return false;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) == LUA_TNIL) {
        lua_pushvalue(L, -2);
        lua_pushinteger(L, (lua_Integer)++s->names);
        lua_rawset(L, names);
        *number = OTHER | s->names;
    } else {
        *number = OTHER | (uint64_t)lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return true;
}

/* Compares the id on the top with what the pass before had in this place, and puts it there. */
static void keep_place(lua_State *L, struct dedup *s, int order) {
    s->place++;
    if (!order)
        return;
    lua_rawgeti(L, order, (lua_Integer)s->place);
    if (!lua_rawequal(L, -1, -2) || lua_isnil(L, -1))
        s->in_order = false;
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, order, (lua_Integer)s->place);
}

enum dedup_result dedup_record(lua_State *L, struct dedup *s, int names, int order) {
    uint64_t number;
    lua_pushliteral(L, "id");
    lua_rawget(L, -2);
    bool named = number_of(L, s, names, &number);
    keep_place(L, s, order);
    lua_pop(L, 1);
    if (!named) { /* in a later pass they cannot be told from those delivered */
        s->unidentified++;
        return s->later_pass ? DEDUP_KNOWN : DEDUP_NEW;
    }
    switch (idset_add(&s->current, number)) {
    case IDSET_NO_MEMORY:
        return DEDUP_NO_MEMORY;
    case IDSET_KNOWN:
        return DEDUP_AGAIN;
    default:
        return s->later_pass && idset_has(&s->all, number) ? DEDUP_KNOWN : DEDUP_NEW;
    }
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

struct dedup_page dedup_page(lua_State *L, struct dedup *s, int names, int order, lua_Integer skip) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    struct dedup_page page = {.kept = 0};
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        enum dedup_result result = dedup_record(L, s, names, order);
        if (result == DEDUP_NO_MEMORY)
            luaL_error(L, "not enough memory");
        page.fresh += result != DEDUP_AGAIN;
        if (result == DEDUP_NEW && i > skip && ++page.kept < i)
            lua_rawseti(L, -2, page.kept);
        else /* dropped, or in its place already */
            lua_pop(L, 1);
    }
    for (lua_Integer i = count; i > page.kept; i--) {
        lua_pushnil(L);
        lua_rawseti(L, -2, i);
    }
    return page;
}

bool dedup_next_pass(struct dedup *s) {
    if (!idset_merge(&s->all, &s->current))
        return false;
    idset_free(&s->previous);
    s->previous = s->current;
    s->current = (struct idset){.entries = NULL};
    if (!s->later_pass)
        s->unidentified_first = s->unidentified;
    s->unidentified_previous = s->unidentified;
    s->unidentified = 0;
    s->later_pass = true;
    s->in_order = true;
    s->place = 0;
    return true;
}

bool dedup_same(const struct dedup *s) {
    return s->current.count == s->previous.count && s->unidentified == s->unidentified_previous &&
           idset_holds(&s->previous, &s->current);
}

void dedup_free(struct dedup *s) {
    idset_free(&s->current);
    idset_free(&s->previous);
    idset_free(&s->all);
}

/* ---- the same for the Lua layer, over several lists ---- */

/* core.seen(): a set of ids; its user value is the table for those that are no whole numbers. */
static int f_seen(lua_State *L) {
    struct dedup *s = lua_newuserdatauv(L, sizeof *s, 1);
    *s = (struct dedup){.names = 0};
    luaL_setmetatable(L, SEEN);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* seen:add(id): whether it is new. A value that is no id always is. */
static int seen_add(lua_State *L) {
    struct dedup *s = luaL_checkudata(L, 1, SEEN);
    uint64_t number;
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, 1);
    lua_insert(L, 2);
    bool named = number_of(L, s, 2, &number);
    enum idset_result result = named ? idset_add(&s->current, number) : IDSET_NEW;
    if (result == IDSET_NO_MEMORY)
        luaL_error(L, "not enough memory");
    lua_pushboolean(L, result == IDSET_NEW);
    return 1;
}

static int seen_gc(lua_State *L) {
    dedup_free(luaL_checkudata(L, 1, SEEN));
    return 0;
}

void dedup_open(lua_State *L) {
    lua_pushcfunction(L, f_seen);
    lua_setfield(L, -2, "seen");
    luaL_newmetatable(L, SEEN);
    lua_pushcfunction(L, seen_gc);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, seen_add);
    lua_setfield(L, -2, "add");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
