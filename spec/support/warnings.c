/* spec.warnings: keeps the warnings of a Lua state, so that a spec can ask for those it expects.
 *
 * One state a process: the store is static, since lua_close still warns when every userdata is gone.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_spec_support_warnings(lua_State *L);

static struct {
    char *text; /* the warnings, each ended by a zero */
    size_t size;
    int begun; /* a message is being pieced together */
    int off;   /* print at once, as lua.c does */
} kept;

static void print(const char *text, int begun, int more) {
    fprintf(stderr, "%s%s%s", begun ? "" : "Lua warning: ", text, more ? "" : "\n");
}

/* lua_WarnFunction. Must not touch the state. */
static void keep(void *unused, const char *text, int more) {
    (void)unused;
    if (!kept.begun && !more && text[0] == '@')
        return; /* a control message: always on */
    size_t length = strlen(text);
    char *grown = kept.off ? NULL : realloc(kept.text, kept.size + length + 1);
    if (grown != NULL) {
        kept.text = grown;
        memcpy(grown + kept.size, text, length + 1);
        kept.size += length + (more ? 0 : 1);
    } else {
        print(text, kept.begun, more);
    }
    kept.begun = more;
}

/* take(): an array of the warnings since the last call. */
static int warnings_take(lua_State *L) {
    lua_newtable(L);
    lua_Integer count = 0;
    for (size_t at = 0; at < kept.size; at += strlen(kept.text + at) + 1) {
        lua_pushstring(L, kept.text + at);
        lua_rawseti(L, -2, ++count);
    }
    kept.size = 0;
    return 1;
}

/* stop(): from now on they are printed; those not taken, too. */
static int warnings_stop(lua_State *L) {
    (void)L;
    for (size_t at = 0; at < kept.size; at += strlen(kept.text + at) + 1)
        print(kept.text + at, 0, 0);
    free(kept.text);
    kept.text = NULL;
    kept.size = 0;
    kept.off = 1;
    return 0;
}

__attribute__((visibility("default"))) int luaopen_spec_support_warnings(lua_State *L) {
    static const luaL_Reg functions[] = {{"take", warnings_take}, {"stop", warnings_stop}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setwarnf(L, keep, NULL);
    return 1;
}
