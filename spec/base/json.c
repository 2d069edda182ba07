/* What the decoder tells beside the value: cut short, elements that are no objects, surrogates replaced. */
#include "base/json.h"

#include <lauxlib.h>
#include <string.h>

#include "spec/support/check.h"

/* Decodes the first `size` bytes, whose NUL is behind them; leaves the stack as it was. */
static bool decode(lua_State *L, const char *text, size_t size, struct json_facts *facts) {
    const char *held = lua_pushlstring(L, text, size);
    int top = lua_gettop(L);
    bool good = json_decode(L, held, size, facts);
    CHECK(lua_gettop(L) == top + 1, "%s", text);
    CHECK(good || lua_type(L, -1) == LUA_TSTRING, "%s", text);
    lua_settop(L, top - 1);
    return good;
}

static void test_cut_short(lua_State *L) {
    static const char *const cut[] = {
        ("[1, -2.5e-3, true, null, {\"a\": \"b\\u00e9\\n\xF0\x9F\xA6\x84\xC3\xA9\xE2\x82\xAC\", \"b\": [false, {}]}, "
         "{\"a\": 1}]"),
        "{\"a\": \"\\ud83e\\udd84\", \"\\\"\": {}}", "\"x\"", "true"};
    static const char *const whole[] = {"", " ", "[1]]", "[x", "[1,]", "nulx", "\"\xFF", "\"\\x\"", "\xEF\xBB\xBF"};
    struct json_facts facts = {.expected = 3};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        for (size_t size = 1; size < strlen(cut[i]); size++) {
            CHECK(!decode(L, cut[i], size, &facts), "%s, %zu", cut[i], size);
            CHECK(facts.cut_short, "%s, %zu", cut[i], size);
        }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        CHECK(!decode(L, whole[i], strlen(whole[i]), &facts), "%s", whole[i]);
        CHECK(!facts.cut_short, "%s", whole[i]);
    }
}

static void facts_are(lua_State *L, const char *text, char first, size_t elements, size_t not_objects,
                      size_t replaced) {
    struct json_facts facts = {.expected = 1000000000};
    CHECK(decode(L, text, strlen(text), &facts), "%s", text);
    CHECK(facts.first == first && facts.elements == elements, "%s: %c, %zu", text, facts.first, facts.elements);
    CHECK(facts.not_objects == not_objects && facts.replaced == replaced, "%s: %zu, %zu", text, facts.not_objects,
          facts.replaced);
}

int main(void) {
    lua_State *L = luaL_newstate();
    CHECK(L, "no state");
    test_cut_short(L);
    facts_are(L, " [{}, {\"a\":[1,[2]]}]", '[', 2, 0, 0);
    facts_are(L, "[{}, 1, [], [{}], null, {\"a\":1}]", '[', 6, 4, 0);
    facts_are(L, "{\"a\":[1,2,3]}", '{', 0, 0, 0);
    facts_are(L, "\n7", '7', 0, 0, 0);
    facts_are(L, "[]", '[', 0, 0, 0);
    facts_are(L, "\"\\ud800\\udc00\\ud800 \\udc00\"", '"', 0, 0, 2);
    facts_are(L, "{\"\\ud800\":\"\\ud800\\ud800\"}", '{', 0, 0, 3);
    lua_close(L);
    return 0;
}
