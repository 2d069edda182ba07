/* A host of another project: it has names of its own that the library has inside, too, and nothing of its files on disk.
 * Prints the library's version and the failure of a call to a port where nobody listens. */
#include <calira.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

int timer_arm(void);
int buffer_free(void);
int list_open(void);

int timer_arm(void) {
    return 1;
}

int buffer_free(void) {
    return 2;
}

int list_open(void) {
    return 3;
}

static const char script[] = "local calira = require 'calira'\n"
                             "assert(not package.searchpath('calira', package.path))\n"
                             "calira.spawn(function()\n"
                             "  local c = calira.new{ token = 't', base_url = 'http://127.0.0.1:1', retries = 0 }\n"
                             "  local ok, err = pcall(c.get, c, '/accounts')\n"
                             "  print(calira._VERSION, not ok and err.kind)\n"
                             "end)\n";

int main(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    calira_preload(L);
    int left = 1;
    if (luaL_dostring(L, script) == LUA_OK)
        while ((left = calira_step(L, 1)) > 0)
            continue;
    if (left != 0)
        fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    lua_close(L);
    return left != 0 || strcmp(CALIRA_VERSION, "0.1.0") != 0 || timer_arm() + buffer_free() + list_open() != 6;
}
