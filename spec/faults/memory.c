/* Memory that runs out: each allocation of a scenario fails in turn, Lua's and libcurl's. After each: a clean error or success, reading
 * on brings every record once, the client works, closing the state frees all. Prints how many points were tried.
 *
 *   memory [EVERY [SCENARIO]]    only every EVERY-th point (default 41; 1 tries them all, for some minutes)
 *
 * A failed allocation in libcurl for the head of an HTTP/2 answer leaves that call without an end: the time limit of an attempt ends it.
 * LeakSanitizer and valgrind see what this program does not count.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <execinfo.h>

#include "scenarios.h"

/* ---- allocators that fail on demand ---- */

/* Counts down to the failure; negative: none. Lua collects and asks again after one, so its own fails twice. */
static long lua_fuse = -1, curl_fuse = -1;
static long curl_blocks;
static int lua_failures;
static long every, tried;

static bool lua_may_allocate(void) {
    if (lua_fuse < 0 || lua_fuse-- > 0)
        return true;
    if (++lua_failures < 2)
        lua_fuse = 0;
    return false;
}

/* Whether nghttp2 allocates, which libcurl 8 gives its allocator: a session whose allocation failed crashes when it is used again, and
 * libcurl 8.14 does use it again, before anybody hears of the failure. */
static bool asked_by_nghttp2(void) {
    void *frames[5];
    Dl_info info;
    for (int i = backtrace(frames, 5); i-- > 0;)
        if (dladdr(frames[i], &info) && strstr(info.dli_fname, "nghttp2"))
            return true;
    return false;
}

static bool curl_fails(void) {
    return curl_fuse >= 0 && curl_fuse-- == 0 && !asked_by_nghttp2();
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

/* ---- points ---- */

/* A message that a failed allocation may bring: it says so, or is an error object of the library's. */
static bool clean(const char *text) {
    return text && (strstr(text, "memory") || strncmp(text, "calira: ", 8) == 0);
}

/* One point: the allocation of that number, of the work, fails. Returns false where the work has fewer. */
static bool point(long *fuse, const char *wanted) {
    alarm(MOST_SECONDS);
    lua_State *L = open_state();
    prepare(L, wanted);
    lua_failures = 0;
    *fuse = now_point;
    int status = work(L);
    bool reached = *fuse < 0 || lua_failures > 0;
    lua_fuse = curl_fuse = -1;
    if (status != LUA_OK && !clean(message(L)))
        fail(message(L));
    lua_settop(L, 1 + (status != LUA_OK));
    if (status == LUA_OK)
        check(L, true);
    else
        call(L, "read_on", 1);
    call(L, "prove", 0);
    close_state(L);
    if (curl_blocks != 0)
        fail("libcurl's memory is left");
    return reached;
}

static void points(long *fuse, const char *what, const char *wanted) {
    long before = tried;
    now_what = what;
    for (now_point = 0; point(fuse, wanted); now_point += every)
        tried++;
    printf("memory, %s, %s: %ld points tried\n", now_scenario, what, tried - before);
    fflush(stdout);
}

static void plain(const char *wanted) {
    points(&lua_fuse, "Lua", wanted);
    points(&curl_fuse, "libcurl", wanted);
}

static void secure(const char *wanted) {
    points(&curl_fuse, "libcurl over TLS", wanted);
}

int main(int argc, char **argv) {
    const char *only = argc > 2 ? argv[2] : NULL, *tls = getenv("CALIRA_SANDBOX_TLS");
    every = argc > 1 ? atol(argv[1]) : 41;
    if (!find_sandbox() || !tls || every < 1) {
        fprintf(stderr, "usage: sh spec/one.sh build/test/spec/faults_memory_test [EVERY [SCENARIO]]\n");
        return 2;
    }
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc, curl_strdup, curl_calloc);
    curl_blocks = 0; /* what global set-up holds stays */
    before_allocation = lua_may_allocate;
    each_scenario(only, plain);
    sandbox = tls;
    each_scenario(only, secure);
    printf("memory: %ld points tried, all passed\n", tried);
    return 0;
}
