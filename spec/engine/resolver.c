/* Name resolution that hangs: neither a step, nor a cancelled or timed out call, nor the end of the state waits for it.
 *
 * This program's getaddrinfo is found before the C library's, by libcurl's resolver threads as well.
 */
#include "calira.h"

#include <lauxlib.h>
#include <lualib.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HANGS = 5 /* seconds */ };

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict result) {
    (void)name, (void)service, (void)hints, (void)result;
    struct timespec t = {HANGS, 0};
    nanosleep(&t, NULL);
    return EAI_AGAIN;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char script[] =
    "local calira = require 'calira'\n"
    "local now = require 'calira.core'.now\n"
    "local function quick(what, most, f, ...)\n"
    "  local before = now()\n"
    "  local results = table.pack(f(...))\n"
    "  local took = now() - before\n"
    "  assert(took < most, ('%s took %.2f s'):format(what, took))\n"
    "  return table.unpack(results, 1, results.n)\n"
    "end\n"
    "local client = calira.new{ base_url = 'http://hangs.example', token = 't', allow_http = true, retries = 0 }\n"
    "local hasty = calira.new{ base_url = 'http://hangs.example', token = 't', allow_http = true, retries = 0, timeout "
    "= 0.3 }\n"
    "local request = quick('request', 1, client.request, client, '/accounts')\n"
    "local late = now() + 0.5\n"
    "while now() < late do\n"
    "  assert(quick('step(0)', 1, calira.step, 0))\n"
    "  quick('sleep', 1, calira.sleep, 0.01)\n"
    "end\n"
    "assert(not request:done())\n"
    "quick('cancel', 1, request.cancel, request)\n"
    "local ok, err = quick('a call', 1.5, pcall, hasty.get, hasty, '/accounts')\n"
    "assert(not ok and err.kind == 'timeout', tostring(err))\n"
    "list = client:bookings{ provider = 1 }\n"
    "calira.spawn(list.next, list)\n"
    "calira.step(0)\n"
    "quick('close', 1, list.close, list)\n"
    "left = client:request '/accounts'\n"
    "calira.step(0)\n";

int main(void) {
    lua_State *L = luaL_newstate();
    if (!L)
        return EXIT_FAILURE;
    luaL_openlibs(L);
    calira_preload(L);
    int failed = luaL_dostring(L, script);
    if (failed)
        fprintf(stderr, "resolver: %s\n", luaL_tolstring(L, -1, NULL));
    double before = now();
    lua_close(L);
    if (now() - before > 1) {
        fprintf(stderr, "resolver: lua_close took %.2f s\n", now() - before);
        failed = 1;
    }
    struct timespec rest = {HANGS + 1, 0};
    nanosleep(&rest, NULL); /* what the resolver's threads find when they come back */
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
