/* Several Lua states, each in a thread of its own, walk lists at the same time: nothing is shared between them. For
 * ThreadSanitizer above all. Needs a sandbox.
 */
#include "calira.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATES = 6, ROUNDS = 3 };

static const char script[] =
    "local calira = require 'calira'\n"
    "local number = ...\n"
    "for _, origin in ipairs { os.getenv 'CALIRA_SANDBOX', os.getenv 'CALIRA_SANDBOX_TLS' } do\n"
    "  local client = calira.new{ base_url = origin .. '/~id=thread' .. number .. ';latency=2;fail=503:7/v1',\n"
    "    token = 'sandbox-token', ca_file = os.getenv 'CALIRA_SANDBOX_CA', backoff = { base = 0.001, max = 0.01 } }\n"
    "  local found = calira.run(function()\n"
    "    local counts = calira.gather{\n"
    "      function() return #client:bookings{ provider = 102, per_page = 50 }:collect() end,\n"
    "      function() return #client:bookings{ provider = 103, per_page = 50, details = true, limit = 30 }:collect() "
    "end,\n"
    "      function()\n"
    "        local n = 0\n"
    "        for _ in client:bookings{ provider = 101, per_page = 20 } do n = n + 1 if n == 30 then break end end\n"
    "        return n\n"
    "      end,\n"
    "    }\n"
    "    return table.concat(counts, ' ')\n"
    "  end)\n"
    "  assert(found == '250 30 30', found)\n"
    "  left = client:request '/accounts'\n" /* in flight when the state is closed */
    "end\n";

static int work(lua_Integer number) {
    lua_State *L = luaL_newstate();
    if (!L)
        return 1;
    luaL_openlibs(L);
    calira_preload(L);
    int failed = luaL_loadstring(L, script);
    if (!failed) {
        lua_pushinteger(L, number);
        failed = lua_pcall(L, 1, 0, 0);
    }
    if (failed)
        fprintf(stderr, "states: %lld: %s\n", (long long)number, luaL_tolstring(L, -1, NULL));
    lua_close(L);
    return failed != 0;
}

static void *run(void *number) {
    int failed = 0;
    for (int i = 0; i < ROUNDS; i++)
        failed |= work(*(lua_Integer *)number);
    *(lua_Integer *)number = failed;
    return NULL;
}

int main(void) {
    pthread_t threads[STATES];
    lua_Integer numbers[STATES];
    int failed = 0, started = 0;
    for (; started < STATES; started++) {
        numbers[started] = started;
        if (pthread_create(&threads[started], NULL, run, &numbers[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        failed |= numbers[i] != 0;
    }
    return failed || started < STATES ? EXIT_FAILURE : EXIT_SUCCESS;
}
