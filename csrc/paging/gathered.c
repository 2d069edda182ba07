#include "paging/gathered.h"

#include <lauxlib.h>

#define GATHERED "calira.list.gathered"

enum { SLOT_LIST = 1, SLOT_GATHERED };

struct gathered *gathered_open(lua_State *L) {
    luaL_checkstack(L, 8, "calira");
    struct gathered *g = lua_newuserdatauv(L, sizeof *g, GATHERED_VALUES);
    *g = (struct gathered){.count = 0};
    luaL_setmetatable(L, GATHERED);
    for (int value = GATHERED_RECORDS; value <= GATHERED_NODES; value++) {
        lua_newtable(L);
        lua_setiuservalue(L, -2, value);
    }
    lua_pushthread(L);
    lua_setiuservalue(L, -2, GATHERED_READER);
    if (lua_getiuservalue(L, SLOT_LIST, LIST_GATHERED) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, SLOT_LIST, LIST_GATHERED);
    }
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_toclose(L, -1);
    return g;
}

void gathered_add(lua_State *L, struct gathered *g) {
    luaL_checkstack(L, 2, "calira");
    lua_getiuservalue(L, SLOT_GATHERED, GATHERED_NODES);
    lua_insert(L, -2);
    lua_rawseti(L, -2, g->count + 1); /* should memory run out here or below, the record is not there */
    lua_pop(L, 1);
    lua_getiuservalue(L, SLOT_GATHERED, GATHERED_RECORDS);
    lua_insert(L, -2);
    lua_rawseti(L, -2, g->count + 1);
    lua_pop(L, 1);
    g->count++;
}

/* Whether nobody adds to the one on the top any more: its frame was left, or its coroutine ended in an error and is not closed. */
static bool is_given_up(lua_State *L, const struct gathered *g) {
    lua_Debug frame;
    if (g->given_up)
        return true;
    lua_getiuservalue(L, -1, GATHERED_READER);
    lua_State *reader = lua_tothread(L, -1);
    lua_pop(L, 1);
    int status = lua_status(reader);
    return reader != L && status != LUA_YIELD && (status != LUA_OK || !lua_getstack(reader, 0, &frame));
}

/* Pushes the first that was given up and is not used up; false, pushing nothing: none. Forgets those that are. */
static bool push_given_up(lua_State *L) {
    int top = lua_gettop(L);
    lua_getiuservalue(L, SLOT_LIST, LIST_GATHERED);
    for (lua_pushnil(L); lua_next(L, top + 1);) {
        lua_pop(L, 1);
        struct gathered *g = lua_touserdata(L, -1);
        if (!is_given_up(L, g))
            continue;
        if (g->taken < g->count) {
            lua_remove(L, top + 1);
            return true;
        }
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, top + 1);
    }
    lua_settop(L, top);
    return false;
}

struct gathered *gathered_next(lua_State *L, const struct list *l) {
    luaL_checkstack(L, 6, "calira");
    if (l->held == 0 || !push_given_up(L))
        return NULL;
    struct gathered *g = lua_touserdata(L, -1);
    for (int value = GATHERED_RECORDS; value <= GATHERED_NODES; value++) {
        lua_getiuservalue(L, -value, value);
        lua_rawgeti(L, -1, g->taken + 1);
        lua_remove(L, -2);
    }
    lua_remove(L, -3);
    return g;
}

/* Leaves out of an array the records at its start that another reader has got. */
static void leave_out_taken(lua_State *L, const struct gathered *g, int value) {
    lua_getiuservalue(L, SLOT_GATHERED, value);
    for (lua_Integer i = 1; i <= g->count; i++) {
        lua_rawgeti(L, -1, i + g->taken);
        lua_rawseti(L, -2, i);
    }
    lua_pop(L, 1);
}

void gathered_release(lua_State *L, struct list *l, struct gathered *g) {
    lua_pushvalue(L, SLOT_GATHERED);
    g->given_up = true; /* to close the slot is a call, which a hook's error can prevent */
    lua_closeslot(L, SLOT_GATHERED);
    lua_replace(L, SLOT_GATHERED);
    if (g->taken > 0) { /* in that call */
        leave_out_taken(L, g, GATHERED_RECORDS);
        leave_out_taken(L, g, GATHERED_NODES);
    }
    lua_getiuservalue(L, SLOT_LIST, LIST_GATHERED);
    lua_pushvalue(L, SLOT_GATHERED);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    l->held -= g->count - g->taken;
    g->taken = g->count;
    l->settled = l->held == 0;
}

static int close(lua_State *L) {
    struct gathered *g = luaL_checkudata(L, 1, GATHERED);
    g->given_up = true;
    return 0;
}

void gathered_init(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", close}, {"__close", close}, {NULL, NULL}};
    luaL_newmetatable(L, GATHERED);
    luaL_setfuncs(L, meta, 0);
    lua_pop(L, 1);
}
