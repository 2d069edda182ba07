#include "base/json.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "base/json_scan.h"

enum {
    MOST_DEPTH = 100,
    MOST_KEYS = 128,    /* entries of the memory of keys */
    MOST_SIBLINGS = 40, /* of them, of one object: what a key costs that is not there */
    ROOT = 0,           /* entry of the whole text */
    UNKNOWN = 1,        /* entry of what stands under keys that are not remembered */
    FIRST_KEY = 2
};

/* The memory of keys. Objects of one kind follow each other, with the same keys in the same order: the key that comes is
 * compared with the one that came after the last one the time before, byte for byte, and where it is the same its Lua
 * string is there already, at its own place of the Lua stack. A key is remembered for the object it stands in: entries
 * form a tree. Keys with escapes are not remembered. */
struct key {
    const unsigned char *text; /* in the text, from quote to quote */
    size_t size;
    uint8_t next;         /* entry of the key behind it; 0: none */
    uint8_t first, last;  /* of the object that is its value, or of the objects in the array that is; 0: none */
    uint8_t siblings;     /* how many these are */
    int fields, elements; /* of such an object, of such an array, when one was last closed; 0: used already */
};

/* An array or object that is open. Its table is on the Lua stack; above it, in an object, the key of the value to come. */
struct level {
    bool object;
    uint8_t entry; /* of the memory: what it stands under */
    uint8_t came;  /* in an object: the entry of the key that came last; 0: none yet */
    int count;     /* elements, or fields set */
};

struct decoder {
    struct json_text text;
    struct json_facts *facts;
    int strings; /* the entry e of the memory has its Lua string at stack index strings + e */
    int depth;   /* levels open; the innermost is levels[depth] */
    int key_count;
    struct level levels[MOST_DEPTH + 1];
    struct key keys[MOST_KEYS];
};

static bool is_space(unsigned char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const unsigned char *skip_space(const unsigned char *p) {
    while (is_space(*p))
        p++;
    return p;
}

/* ---- keys ---- */

/* The remembered key that is at `p`, a quote; 0: none. */
static unsigned known_key(const struct decoder *d, const struct level *o, const unsigned char *p) {
    unsigned first = d->keys[o->entry].first;
    unsigned expected = o->came ? d->keys[o->came].next : first;
    size_t left = (size_t)(d->text.end - p);
    for (unsigned e = expected; e; e = d->keys[e].next)
        if (d->keys[e].size <= left && memcmp(p, d->keys[e].text, d->keys[e].size) == 0)
            return e;
    for (unsigned e = first; e != expected; e = d->keys[e].next)
        if (d->keys[e].size <= left && memcmp(p, d->keys[e].text, d->keys[e].size) == 0)
            return e;
    return 0;
}

/* Remembers the key whose string is on the top; where there is no room, UNKNOWN. */
static unsigned remember(struct decoder *d, struct level *o, const unsigned char *text, size_t size) {
    struct key *parent = &d->keys[o->entry];
    if (d->key_count == MOST_KEYS || parent->siblings == MOST_SIBLINGS)
        return UNKNOWN;
    unsigned e = (unsigned)d->key_count++;
    d->keys[e] = (struct key){.text = text, .size = size};
    if (parent->last)
        d->keys[parent->last].next = (uint8_t)e;
    else
        parent->first = (uint8_t)e;
    parent->last = (uint8_t)e;
    parent->siblings++;
    lua_pushvalue(d->text.L, -1);
    lua_replace(d->text.L, d->strings + (int)e);
    return e;
}

/* Pushes the key at `p` and notes which it is. Returns where its value begins. */
static const unsigned char *read_key(struct decoder *d, const unsigned char *p) {
    struct level *o = &d->levels[d->depth];
    if (*p != '"')
        return json_fail(&d->text, p, "a key in double quotes was expected");
    unsigned key = known_key(d, o, p);
    if (key) {
        lua_pushvalue(d->text.L, d->strings + (int)key);
        p += d->keys[key].size;
    } else {
        bool escaped;
        const unsigned char *start = p, *end = json_scan_string(&d->text, p + 1, &escaped);
        if (!end || !(p = json_push_string(&d->text, start + 1, end, escaped)))
            return NULL;
        key = escaped ? UNKNOWN : remember(d, o, start, (size_t)(p - start));
    }
    o->came = (uint8_t)key;
    p = skip_space(p);
    if (*p != ':')
        return json_fail(&d->text, p, "a colon was expected");
    return skip_space(p + 1);
}

/* ---- values ---- */

static const unsigned char *read_word(struct json_text *t, const unsigned char *p, const char *word) {
    for (; *word; p++, word++)
        if (*p != (unsigned char)*word)
            return json_fail(t, p, "an invalid word");
    return p;
}

static const unsigned char *fail_value(struct json_text *t, const unsigned char *p) {
    if (p == t->end)
        return json_fail(t, p, "the text ends where a value was expected");
    return json_fail(t, p, *p ? "a value was expected" : "a NUL byte");
}

/* Pushes the value at `p`, which is no array and no object; nil for the null of a field. */
static const unsigned char *read_scalar(struct decoder *d, const unsigned char *p) {
    lua_State *L = d->text.L;
    bool escaped;
    const unsigned char *end;
    switch (*p) {
    case '"':
        end = json_scan_string(&d->text, p + 1, &escaped);
        return end ? json_push_string(&d->text, p + 1, end, escaped) : NULL;
    case 't':
        lua_pushboolean(L, 1);
        return read_word(&d->text, p, "true");
    case 'f':
        lua_pushboolean(L, 0);
        return read_word(&d->text, p, "false");
    case 'n':
        if (d->levels[d->depth].object)
            lua_pushnil(L);
        else
            lua_pushlightuserdata(L, NULL);
        return read_word(&d->text, p, "null");
    default:
        if (*p == '-' || (*p >= '0' && *p <= '9'))
            return json_push_number(&d->text, p);
        return fail_value(&d->text, p);
    }
}

/* Puts the value on the top where it belongs: under the key below it, behind the other elements, or nowhere. */
static void store(struct decoder *d, bool is_object) {
    lua_State *L = d->text.L;
    struct level *l = &d->levels[d->depth];
    if (l->object) {
        l->count += !lua_isnil(L, -1);
        lua_rawset(L, -3); /* nil, too: the key may have come before */
    } else if (d->depth > 0) {
        lua_rawseti(L, -2, ++l->count);
        d->facts->not_objects += d->depth == 1 && !is_object;
    }
}

/* Opens the array or object at `p`, with room for what was in the one before under the same keys. That is used once, so
 * that nobody can ask for more room than he has sent fields. */
static const unsigned char *open_level(struct decoder *d, const unsigned char *p) {
    const struct level *outer = &d->levels[d->depth];
    bool object = *p == '{';
    if (d->depth == MOST_DEPTH)
        return json_fail(&d->text, p, "arrays and objects more than 100 deep");
    struct level *l = &d->levels[++d->depth];
    *l = (struct level){.object = object, .entry = outer->object ? outer->came : outer->entry};
    struct key *k = &d->keys[l->entry];
    lua_createtable(d->text.L, object ? 0 : k->elements, object ? k->fields : 0);
    *(object ? &k->fields : &k->elements) = 0;
    return skip_space(p + 1);
}

/* Closes the innermost level; its table is a value now. */
static void close_level(struct decoder *d) {
    struct level *l = &d->levels[d->depth--];
    struct key *k = &d->keys[l->entry];
    *(l->object ? &k->fields : &k->elements) = l->count;
    if (d->depth == 0 && !l->object)
        d->facts->elements = (size_t)l->count;
    store(d, l->object);
}

static const unsigned char *fail_next(struct decoder *d, const unsigned char *p) {
    bool object = d->levels[d->depth].object;
    if (p == d->text.end)
        return json_fail(&d->text, p, object ? "the text ends inside an object" : "the text ends inside an array");
    return json_fail(&d->text, p, object ? "a comma or } was expected" : "a comma or ] was expected");
}

/* Behind a value: closes what ends there, up to a comma. Returns where the next value begins, its key pushed; the end of
 * the outermost value where no level is left open. */
static const unsigned char *read_on(struct decoder *d, const unsigned char *p) {
    while (d->depth > 0) {
        bool object = d->levels[d->depth].object;
        p = skip_space(p);
        if (*p == ',') {
            p = skip_space(p + 1);
            return object ? read_key(d, p) : p;
        }
        if (*p != (object ? '}' : ']'))
            return fail_next(d, p);
        p++;
        close_level(d);
    }
    return p;
}

/* Pushes the value at `p`. Returns the byte behind it. */
static const unsigned char *read_value(struct decoder *d, const unsigned char *p) {
    do {
        if (*p == '{' || *p == '[') {
            p = open_level(d, p);
            if (!p)
                return NULL;
            bool object = d->levels[d->depth].object;
            if (*p != (object ? '}' : ']')) {
                p = object ? read_key(d, p) : p;
                continue;
            }
        } else {
            p = read_scalar(d, p);
            if (!p)
                return NULL;
            store(d, false);
        }
        p = read_on(d, p);
    } while (p && d->depth > 0);
    return p;
}

/* ---- the whole ---- */

/* What is wrong with the first bytes; NULL: nothing. RFC 8259 has UTF-8 alone, and no mark before it. */
static const char *wrong_encoding(const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        return "a byte-order mark before the JSON";
    if (size >= 2 && (memcmp(text, "\xFE\xFF", 2) == 0 || memcmp(text, "\xFF\xFE", 2) == 0 || !text[0] != !text[1]))
        return "UTF-16 or UTF-32 instead of UTF-8";
    return NULL;
}

static const unsigned char *read_text(struct decoder *d, size_t size) {
    const unsigned char *p = d->text.start;
    const char *wrong = wrong_encoding((const char *)p, size);
    if (wrong)
        return json_fail(&d->text, p, wrong);
    p = read_value(d, skip_space(p));
    if (!p)
        return NULL;
    p = skip_space(p);
    if (p != d->text.end)
        return json_fail(&d->text, p, *p ? "more behind the end of the JSON" : "a NUL byte");
    return p;
}

bool json_decode(lua_State *L, const char *text, size_t size, struct json_facts *facts) {
    struct decoder d;
    int top = lua_gettop(L);
    *facts = (struct json_facts){.first = json_first(text, size)};
    luaL_checkstack(L, MOST_KEYS + 2 * MOST_DEPTH + 8, "calira");
    d.text =
        (struct json_text){.L = L, .start = (const unsigned char *)text, .end = (const unsigned char *)text + size};
    d.facts = facts;
    d.strings = top + 1;
    d.depth = 0;
    d.key_count = FIRST_KEY;
    d.levels[0] = (struct level){.entry = ROOT};
    d.keys[ROOT] = d.keys[UNKNOWN] = (struct key){.size = 0};
    lua_settop(L, top + 1 + MOST_KEYS);
    bool good = read_text(&d, size) != NULL;
    facts->replaced = d.text.replaced;
    facts->cut_short = d.text.cut_short;
    if (!good && d.text.at == d.text.end && skip_space(d.text.start) == d.text.end)
        lua_pushliteral(L, "the body is empty");
    else if (!good)
        lua_pushfstring(L, "%s at byte %I", d.text.wrong, (LUAI_UACINT)(d.text.at - d.text.start + 1));
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return good;
}

char json_first(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    while (p < end && is_space(*p))
        p++;
    return p < end ? (char)*p : 0;
}

/* core.decode(text): its value; nil and what is wrong. */
static int f_decode(lua_State *L) {
    size_t size;
    struct json_facts facts;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_settop(L, 1);
    if (json_decode(L, text, size, &facts))
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

void json_open(lua_State *L) {
    int module = lua_gettop(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "null");
    lua_setfield(L, module, "null");
    lua_getfield(L, -1, "new"); /* a private instance: the host's settings stay the host's */
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "encode");
    lua_setfield(L, module, "encode");
    lua_pushcfunction(L, f_decode);
    lua_setfield(L, module, "decode");
    lua_settop(L, module);
}
