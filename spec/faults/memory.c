/* Memory that runs out: each allocation of a scenario fails in turn, Lua's and libcurl's. After each: a clean error or success,
 * the client works, closing the state frees all. Prints how many points were tried.
 *
 *   memory [EVERY]    only every EVERY-th point (default 40; 1 tries them all, for some minutes)
 *
 * A failed allocation in libcurl for the head of an HTTP/2 answer leaves that call without an end: the time limit of an attempt ends it.
 * LeakSanitizer and valgrind see what this program does not count. Runs inside the sandbox's environment.
 */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calira.h"

/* ---- allocators that fail on demand ---- */

/* Counts down to the failure; negative: none. Lua collects and asks again after one, so its own fails twice. */
static long lua_fuse = -1, curl_fuse = -1, lua_count, curl_count;
static size_t lua_bytes;
static long curl_blocks;
static int lua_failures;

static void *lua_allocator(void *data, void *block, size_t old, size_t size) {
    (void)data;
    if (!block)
        old = 0;
    if (size == 0) {
        lua_bytes -= old;
        free(block);
        return NULL;
    }
    if (size > old) {
        lua_count++;
        if (lua_fuse >= 0 && lua_fuse-- == 0) {
            if (++lua_failures < 2)
                lua_fuse = 0;
            return NULL;
        }
    }
    void *made = realloc(block, size);
    lua_bytes += size - old;
    return made;
}

static bool curl_fails(void) {
    curl_count++;
    return curl_fuse >= 0 && curl_fuse-- == 0;
}

static void *curl_malloc(size_t size) {
    if (curl_fails())
        return NULL;
    curl_blocks++;
    return malloc(size);
}

static void *curl_calloc(size_t count, size_t size) {
    if (curl_fails())
        return NULL;
    curl_blocks++;
    return calloc(count, size);
}

static void *curl_realloc(void *block, size_t size) {
    if (curl_fails())
        return NULL;
    curl_blocks += block ? 0 : 1;
    return realloc(block, size);
}

static char *curl_strdup(const char *text) {
    if (curl_fails())
        return NULL;
    curl_blocks++;
    return strdup(text);
}

static void curl_release(void *block) {
    curl_blocks -= block ? 1 : 0;
    free(block);
}

/* ---- scenarios ---- */

static const char prelude[] =
    "local url, ca = ...\n"
    "calira = require 'calira'\n"
    "client = calira.new{ base_url = url, token = 'sandbox-token', ca_file = ca, retries = 1,\n"
    "  backoff = { base = 0, max = 0 }, timeout = 2, trace = function() end }\n";

static const char scenario[] =
    "local n, m = 0, 0\n"
    "for b, node in client:bookings{ provider = 102, per_page = 50, limit = 120, status = 'Confirmed' } do n = n + 1 "
    "end\n"
    "for b in client:bookings{ provider = 102, per_page = 2, limit = 3, details = true, forms = true } do m = m + 1 "
    "end\n"
    "local body, response = client:get('/bookings/12345')\n"
    "assert(response.status == 200 and response.headers['content-type'])\n"
    "local request = client:request('/bookings/12346')\n"
    "request:cancel()\n"
    "local ok, err = pcall(client.booking, client, 1)\n"
    "local missing, why = pcall(client.booking, client, 999999999)\n"
    "assert(not missing and (calira.is_error(why) or tostring(why):find 'memory'), tostring(why))\n"
    "calira.run(function() calira.gather{ function() return client:account(101).name end,\n"
    "  function() calira.sleep(0) return #client:bookings{ provider = 107 }:collect() end } end)\n"
    "assert(n > 10 and m == 3, 'records missing')\n";

/* What has to work afterwards. */
static const char proof[] = "local booking = client:booking(12345)\n"
                            "assert(booking.id == 12345)\n"
                            "local count = 0\n"
                            "for _ in client:bookings{ provider = 107 } do count = count + 1 end\n"
                            "assert(count == 100, 'records missing')\n";

static const char *url, *ca;

static void fail(const char *what, long point, const char *why) {
    printf("FAILED: %s, point %ld: %s\n", what, point, why ? why : "?");
    exit(1);
}

/* Compiles and runs the text in the light userdata. */
static int run_body(lua_State *L) {
    const char *text = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (luaL_loadstring(L, text) != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, url);
    lua_pushstring(L, ca);
    lua_call(L, 2, 0);
    return 0;
}

/* Runs a text, compiling it included, where memory may run out anywhere. */
static int run_text(lua_State *L, const char *text) {
    lua_settop(L, 0);
    lua_pushcfunction(L, run_body);
    lua_pushlightuserdata(L, (void *)(uintptr_t)text);
    return lua_pcall(L, 1, 0, 0);
}

static const char *message(lua_State *L) {
    return luaL_tolstring(L, -1, NULL);
}

/* A message that a failed allocation may bring: it says so, or is an error object of the library's. */
static bool clean(const char *text) {
    return text && (strstr(text, "memory") || strncmp(text, "calira: ", 8) == 0);
}

static lua_State *open_state(void) {
    lua_State *L = lua_newstate(lua_allocator, NULL);
    if (!L)
        fail("start", 0, "no state");
    luaL_openlibs(L);
    calira_preload(L);
    return L;
}

static void close_state(lua_State *L, const char *what, long point) {
    lua_close(L);
    if (lua_bytes != 0)
        fail(what, point, "Lua memory is left");
    if (curl_blocks != 0)
        fail(what, point, "libcurl's memory is left");
}

/* One point: the allocation of that number, of the scenario, fails. Returns false where the scenario has fewer. */
static bool point(long *fuse, const char *what, long number) {
    lua_State *L = open_state();
    if (run_text(L, prelude) != LUA_OK)
        fail(what, number, message(L));
    lua_failures = 0;
    *fuse = number;
    int status = run_text(L, scenario);
    bool reached = *fuse < 0 || lua_failures > 0;
    lua_fuse = curl_fuse = -1;
    if (status != LUA_OK && !clean(message(L)))
        fail(what, number, message(L));
    if (run_text(L, proof) != LUA_OK)
        fail(what, number, message(L));
    close_state(L, what, number);
    return reached;
}

static void points(long *fuse, const char *what, long every) {
    long tried = 0;
    for (long number = 0; point(fuse, what, number); number += every)
        tried++;
    printf("%s: %ld points tried, all passed\n", what, tried);
    fflush(stdout);
}

int main(int argc, char **argv) {
    long every = argc > 1 ? atol(argv[1]) : 40;
    char plain[200], tls[200];
    const char *origin = getenv("CALIRA_SANDBOX"), *secure = getenv("CALIRA_SANDBOX_TLS");
    ca = getenv("CALIRA_SANDBOX_CA");
    if (!origin || !secure || every < 1) {
        fprintf(stderr, "usage: sh spec/one.sh build/test/spec/faults_memory_test [EVERY]\n");
        return 2;
    }
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc, curl_strdup, curl_calloc);
    curl_blocks = 0; /* what global set-up holds stays */
    snprintf(plain, sizeof plain, "%s/~id=memory/v1", origin);
    snprintf(tls, sizeof tls, "%s/~id=memory/v1", secure);
    url = plain;
    points(&curl_fuse, "libcurl, HTTP/1.1", every);
    points(&lua_fuse, "Lua", every);
    url = tls;
    points(&curl_fuse, "libcurl, HTTP/2 and TLS", every);
    return 0;
}
