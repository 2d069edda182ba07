/* JSON into Lua values: strict RFC 8259 in UTF-8, in one pass. Owns nothing beyond a call. */
#ifndef CALIRA_JSON_H
#define CALIRA_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* What json_decode tells of a text beside its value. */
struct json_facts {
    size_t expected;    /* set by the caller: elements to make room for, where the value is an array; 0: not known */
    char first;         /* its first byte that is no white space: '[' of an array, '{' of an object; 0: there is none */
    bool cut_short;     /* refused because it ended where more was needed; an empty text is not cut short */
    size_t elements;    /* of the array, where the value is one */
    size_t not_objects; /* how many of these are no objects */
    size_t replaced;    /* escapes of unpaired surrogates, each decoded as U+FFFD */
};

/* Decodes the `size` bytes at `text` and pushes the value: true. Or pushes why not, in English, with the place in bytes
 * from 1 and without any byte of the text: false.
 *
 * A whole number is an integer where it fits in 64 bits, however it is written (1E2, 1.0), other numbers are floats, in
 * any locale; one beyond the range of a double is refused. A null field is left out, any other null is core.null (a light
 * userdata NULL, as cjson.null is). Of a key that comes twice the last value counts. At most 100 levels.
 *
 * The caller keeps the text where it is during the call, which may run finalizers: by a Lua string or userdata on the
 * stack. text[size] is a NUL, as behind every Lua string. Raises only what Lua raises: no memory, no stack, or what a
 * finalizer does. Never waits. */
bool json_decode(lua_State *L, const char *text, size_t size, struct json_facts *facts);

/* The first byte that is no white space; 0: none. */
char json_first(const char *text, size_t size);

/* Adds `null`, `encode` and `decode` to the module table on the top. The encoder is that of a private instance of lua-cjson,
 * for grants: it keeps 14 digits of a number (its own upper bound; 10^14 + 1 becomes 1e+14), and writes a fraction with the
 * decimal point of a locale that is set later. */
void json_open(lua_State *L);

#endif
