/* The decoder where memory runs out: each of Lua's allocations fails in turn. After each: Lua's own error or the right
 * value, decoding works, and closing the state frees all. Then every allocation is one at which a finalizer runs, which
 * decodes, too. Prints how many points were tried.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calira.h"
#include "spec/support/check.h"

/* Counts down to the failure; negative: none. Lua collects and asks again after one: that fails, too. */
static long fuse = -1;
static int failures;
static size_t bytes;

static void *allocator(void *data, void *block, size_t old, size_t size) {
    (void)data;
    if (!block)
        old = 0;
    if (size == 0) {
        bytes -= old;
        free(block);
        return NULL;
    }
    if (size > old && fuse >= 0 && fuse-- == 0) {
        if (++failures < 2)
            fuse = 0;
        return NULL;
    }
    void *made = realloc(block, size);
    bytes += size - old;
    return made;
}

static const char setup[] =
    "local core = require 'calira.core'\n"
    "decode = core.decode\n"
    "local rows = {}\n"
    "for i = 1, 12 do\n"
    "  rows[i] = ('{\"id\":%d,\"name\":\"n%d "
    "\\\\u00e9\\\\n\",\"half\":0.5,\"list\":[%s],\"inner\":{\"id\":null,\"x%d\":true},'\n"
    "    .. '\"note\":\"%s\",\"long\":\"%s\\\\t\"}'):format(i, i, ('1,'):rep(i) .. '2', i, ('y'):rep(60), "
    "('z'):rep(1500))\n"
    "end\n"
    "text = '[' .. table.concat(rows, ',') .. ']'\n"
    "function check(v)\n"
    "  assert(#v == 12)\n"
    "  for i, r in ipairs(v) do\n"
    "    assert(r.id == i and r.name == 'n' .. i .. ' \\u{e9}\\n' and r.half == 0.5 and #r.list == i + 1)\n"
    "    assert(r.inner.id == nil and r.inner['x' .. i] and #r.note == 60 and #r.long == 1501)\n"
    "  end\n"
    "end\n";

static const char good[] = "check(decode(text))";
static const char wrong[] = "local v, why = decode(text:sub(1, -2))\n"
                            "assert(v == nil and why:find 'the text ends inside an array at byte')";
/* Garbage whose finalizer decodes, made again by itself, at a collector that never rests. */
static const char finalizers[] = "local count, inside = 0, false\n"
                                 "local meta = {}\n"
                                 "function meta.__gc()\n"
                                 "  count = count + 1\n"
                                 "  if not inside then\n"
                                 "    inside = true\n"
                                 "    check(decode(text))\n"
                                 "    inside = false\n"
                                 "  end\n"
                                 "  if meta.__gc then setmetatable({}, meta) end\n"
                                 "end\n"
                                 "collectgarbage('incremental', 100, 1000, 1)\n"
                                 "for _ = 1, 20 do setmetatable({}, meta) end\n"
                                 "for _ = 1, 200 do check(decode(text)) end\n"
                                 "meta.__gc = nil\n"
                                 "assert(count > 100, 'the finalizers did not run')";

static lua_State *open_state(void) {
    lua_State *L = lua_newstate(allocator, NULL);
    CHECK(L, "no state");
    luaL_openlibs(L);
    calira_preload(L);
    CHECK(luaL_dostring(L, setup) == LUA_OK, "%s", lua_tostring(L, -1));
    return L;
}

static void close_state(lua_State *L, long point) {
    lua_close(L);
    CHECK(bytes == 0, "point %ld: %zu bytes are left", point, bytes);
}

/* One point: that allocation of the text, which is compiled before, fails. False: it has fewer. */
static bool point(const char *text, long number) {
    lua_State *L = open_state();
    CHECK(luaL_loadstring(L, text) == LUA_OK, "%s", lua_tostring(L, -1));
    failures = 0;
    fuse = number;
    int status = lua_pcall(L, 0, 0, 0);
    fuse = -1;
    CHECK(status == LUA_OK || strstr(lua_tostring(L, -1), "not enough memory"), "point %ld: %s", number,
          lua_tostring(L, -1));
    CHECK(status != LUA_OK || failures < 2, "point %ld: a failure got lost", number);
    lua_settop(L, 0);
    CHECK(luaL_dostring(L, good) == LUA_OK, "point %ld: %s", number, lua_tostring(L, -1));
    close_state(L, number);
    return failures > 0;
}

int main(void) {
    long tried = 0;
    for (long number = 0; point(good, number); number++)
        tried++;
    printf("decoding: %ld points tried, all passed\n", tried);
    CHECK(tried > 100, "%ld", tried);
    for (tried = 0; point(wrong, tried); tried++)
        ;
    printf("refusing: %ld points tried, all passed\n", tried);
    lua_State *L = open_state();
    CHECK(luaL_dostring(L, finalizers) == LUA_OK, "%s", lua_tostring(L, -1));
    close_state(L, 0);
    printf("finalizers: passed\n");
    return 0;
}
