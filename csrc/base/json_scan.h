/* The scalars of JSON: strings and numbers, from the text to the top of the Lua stack. Part of json.c, which is its only
 * user. */
#ifndef CALIRA_JSON_SCAN_H
#define CALIRA_JSON_SCAN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* A text being read; it borrows the bytes for the length of a call. *end is a NUL, so that looking at a byte needs no
 * test for the end. */
struct json_text {
    lua_State *L;
    const unsigned char *start, *end;
    const char *wrong;       /* what is wrong with the text, a literal; NULL: nothing so far */
    const unsigned char *at; /* where */
    bool cut_short;          /* it ended where more was needed */
    size_t replaced;         /* escapes of unpaired surrogates */
};

/* Notes what is wrong at `at`. Returns NULL, as all functions here do then. */
const unsigned char *json_fail(struct json_text *t, const unsigned char *at, const char *wrong);

/* The closing quote of the string whose first byte (behind the opening quote) is at `p`. *escaped: it holds escapes, which
 * are not looked at. */
const unsigned char *json_scan_string(struct json_text *t, const unsigned char *p, bool *escaped);

/* Pushes the string between `p` and its closing quote `end`, as json_scan_string found them. Returns the byte behind. */
const unsigned char *json_push_string(struct json_text *t, const unsigned char *p, const unsigned char *end,
                                      bool escaped);

/* Pushes the number that begins at `p`, with a digit or a minus. Returns the byte behind it. */
const unsigned char *json_push_number(struct json_text *t, const unsigned char *p);

#endif
