/* floor [gzip] FILE: the least that reading pages costs in CPU. Asks for the addresses in the file, a line each, one after
 * the other on one connection of libcurl, and decodes each body by lua-cjson in a Lua state. Prints the number of records:
 * an array's elements, or 1 for anything else. */
#define _DEFAULT_SOURCE
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char *bytes;
    size_t size, room;
};

static size_t on_body(char *bytes, size_t one, size_t count, void *to) {
    struct body *body = to;
    (void)one;
    if (body->size + count > body->room) {
        body->room = 2 * body->room + count;
        body->bytes = realloc(body->bytes, body->room);
        if (!body->bytes)
            return 0;
    }
    memcpy(body->bytes + body->size, bytes, count);
    body->size += count;
    return count;
}

/* Ends the program. */
static void fail(const char *what, const char *why) {
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

/* How many records the body holds. The function cjson.decode is at the stack's top, and stays there. */
static lua_Unsigned decode(lua_State *L, const struct body *body) {
    lua_pushvalue(L, -1);
    lua_pushlstring(L, body->bytes, body->size);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        fail("decode", lua_tostring(L, -1));
    lua_Unsigned count = lua_rawlen(L, -1);
    lua_pop(L, 1);
    return count > 0 ? count : 1;
}

static CURL *open_connection(struct body *body, bool gzip) {
    static char authorization[300];
    const char *token = getenv("CALIRA_TOKEN");
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token ? token : "");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_slist_append(NULL, authorization));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    if (gzip)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return easy;
}

int main(int argc, char **argv) {
    bool gzip = argc == 3 && strcmp(argv[1], "gzip") == 0;
    FILE *addresses = argc > 1 ? fopen(argv[argc - 1], "r") : NULL;
    if (!addresses)
        fail("usage", "floor [gzip] FILE");
    struct body body = {NULL, 0, 0};
    CURL *easy = open_connection(&body, gzip);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_dostring(L, "return require('cjson').decode") != LUA_OK)
        fail("lua-cjson", lua_tostring(L, -1));
    lua_Unsigned records = 0;
    char line[2000];
    while (fgets(line, sizeof line, addresses)) {
        line[strcspn(line, "\n")] = 0;
        curl_easy_setopt(easy, CURLOPT_URL, line);
        body.size = 0;
        CURLcode code = curl_easy_perform(easy);
        if (code != CURLE_OK)
            fail(line, curl_easy_strerror(code));
        records += decode(L, &body);
    }
    printf("%llu\n", (unsigned long long)records);
    lua_close(L);
    curl_easy_cleanup(easy);
    return 0;
}
