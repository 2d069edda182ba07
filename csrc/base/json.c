#include "base/json.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "base/json_scan.h"

enum {
    MOST_DEPTH = 100,
    MOST_KEYS = 128,    /* remembered */
    MOST_SIBLINGS = 40, /* of them, in one object: a new key is compared with each */
    MOST_ROOM = 1 << 16 /* fields or elements that a table is made with */
};

/* The memory of keys. Objects of one kind follow each other, with the same keys in the same order: the key that comes is
 * compared with the one that came after the last one the time before, byte for byte, and where it is the same its Lua
 * string is there already, at its own place of the Lua stack. A key is remembered for the object it stands in: they form
 * a tree, whose root stands for the whole text. Keys with escapes are not remembered. */
struct key {
    const unsigned char *text; /* in the text being read, from quote to quote */
    size_t size;               /* bytes, the quotes included */
    int string;                /* stack index of its string */
    struct key *next;          /* the key that followed it in its object when both were new; NULL: none */
    struct key *first, *last;  /* the keys of its value, or of the objects in the array that its value is */
    int siblings;              /* how many these are */
    int fields, elements;      /* of its value, or of such an object, when one was last closed; 0: used already */
};

/* An array or object that is open. Its table is on the Lua stack; above it, in an object, the key of the value to come. */
struct level {
    bool object;
    struct key *under; /* the key it stands under, its array too; the root */
    struct key *came;  /* in an object: the key that came last; NULL: none yet */
    lua_Integer count; /* elements, or fields */
};

struct decoder {
    struct json_text text;
    struct json_facts *facts;
    int strings;         /* stack index of the string of keys[0] */
    struct level *inner; /* the innermost level; levels[0]: none is open */
    struct level levels[MOST_DEPTH + 1];
    int key_count;
    struct key root, unknown, keys[MOST_KEYS]; /* unknown stands for all keys that are not remembered */
};

static bool is_space(unsigned char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const unsigned char *skip_space(const unsigned char *p) {
    while (*p <= ' ' && is_space(*p))
        p++;
    return p;
}

/* ---- keys ---- */

static uint64_t load(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Whether the remembered key is at `p`. Behind that, `left` bytes may be read. */
static bool is_at(const struct key *k, const unsigned char *p, size_t left) {
    static const unsigned char ones[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const unsigned char *text = k->text;
    size_t size = k->size;
    if (left < size + 8)
        return left >= size && memcmp(p, text, size) == 0;
    for (; size > 8; size -= 8, p += 8, text += 8)
        if (load(p) != load(text))
            return false;
    return ((load(p) ^ load(text)) & load(ones + 8 - size)) == 0; /* the mask: `size` bytes in any order */
}

/* Remembers the key whose string is on the top, if there is room. */
static struct key *remember(struct decoder *d, struct key *parent, const unsigned char *text, size_t size) {
    if (d->key_count == MOST_KEYS || parent->siblings == MOST_SIBLINGS)
        return &d->unknown;
    struct key *k = &d->keys[d->key_count];
    *k = (struct key){.text = text, .size = size, .string = d->strings + d->key_count++};
    *(parent->last ? &parent->last->next : &parent->first) = k;
    parent->last = k;
    parent->siblings++;
    lua_pushvalue(d->text.L, -1);
    lua_replace(d->text.L, k->string);
    return k;
}

/* Pushes the key at `p`, which is not the expected one. Returns the byte behind it; *found: which it is. */
static const unsigned char *read_other_key(struct decoder *d, const unsigned char *p, struct key **found) {
    struct key *parent = d->inner->under, *k = parent->first;
    size_t left = (size_t)(d->text.end - p);
    bool escaped;
    if (*p != '"')
        return json_fail(&d->text, p, "a key in double quotes was expected");
    while (k && !is_at(k, p, left))
        k = k->next;
    if (k) {
        lua_pushvalue(d->text.L, k->string);
        *found = k;
        return p + k->size;
    }
    const unsigned char *end = json_scan_string(&d->text, p + 1, &escaped);
    if (!end || !(end = json_push_string(&d->text, p + 1, end, escaped)))
        return NULL;
    *found = escaped ? &d->unknown : remember(d, parent, p, (size_t)(end - p));
    return end;
}

/* Pushes the key at `p` and notes which it is. Returns where its value begins. */
static const unsigned char *read_key(struct decoder *d, const unsigned char *p) {
    struct level *object = d->inner;
    struct key *k = object->came ? object->came->next : object->under->first;
    if (k && is_at(k, p, (size_t)(d->text.end - p))) {
        lua_pushvalue(d->text.L, k->string);
        p += k->size;
    } else {
        p = read_other_key(d, p, &k);
        if (!p)
            return NULL;
    }
    object->came = k;
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
        if (d->inner->object)
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
    struct level *l = d->inner;
    if (l->object) {
        l->count++;        /* of null, too: in the next object it may be none */
        lua_rawset(L, -3); /* nil, too: the key may have come before */
    } else if (l > d->levels) {
        lua_rawseti(L, -2, ++l->count);
        d->facts->not_objects += !is_object && l == d->levels + 1;
    }
}

/* Opens the array or object at `p`, with room for what was in the one before under the same keys. That is used once, so
 * that nobody can ask for more room than he has sent fields. */
static const unsigned char *open_level(struct decoder *d, const unsigned char *p) {
    const struct level *outer = d->inner;
    bool object = *p == '{';
    if (outer == d->levels + MOST_DEPTH)
        return json_fail(&d->text, p, "arrays and objects more than 100 deep");
    struct key *k = outer->object ? outer->came : outer->under;
    *++d->inner = (struct level){.object = object, .under = k};
    int room = object ? k->fields : k->elements;
    *(object ? &k->fields : &k->elements) = 0;
    lua_createtable(d->text.L, object ? 0 : room, object ? room : 0);
    return skip_space(p + 1);
}

/* Closes the innermost level; its table is a value now. */
static void close_level(struct decoder *d) {
    const struct level *l = d->inner--;
    *(l->object ? &l->under->fields : &l->under->elements) = l->count < MOST_ROOM ? (int)l->count : MOST_ROOM;
    if (d->inner == d->levels && !l->object)
        d->facts->elements = (size_t)l->count;
    store(d, l->object);
}

static const unsigned char *fail_next(struct decoder *d, const unsigned char *p) {
    bool object = d->inner->object;
    if (p == d->text.end)
        return json_fail(&d->text, p, object ? "the text ends inside an object" : "the text ends inside an array");
    return json_fail(&d->text, p, object ? "a comma or } was expected" : "a comma or ] was expected");
}

/* Behind a value: closes what ends there, up to a comma. Returns where the next value begins, its key pushed; the end of
 * the outermost value where no level is left open. */
static const unsigned char *read_on(struct decoder *d, const unsigned char *p) {
    while (d->inner > d->levels) {
        bool object = d->inner->object;
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
            bool object = d->inner->object;
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
    } while (p && d->inner > d->levels);
    return p;
}

/* ---- the whole ---- */

/* What is wrong with the first bytes; NULL: nothing. RFC 8259 has UTF-8 alone, and no mark before it. */
static const char *wrong_encoding(const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        return "a byte-order mark before the JSON";
    if (size >= 2 && (memcmp(text, "\xFE\xFF", 2) == 0 || memcmp(text, "\xFF\xFE", 2) == 0 || !text[0] || !text[1]))
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
    size_t expected = facts->expected < size / 2 ? facts->expected : size / 2;
    *facts = (struct json_facts){.first = json_first(text, size)};
    if (!lua_checkstack(L, MOST_KEYS + 2 * MOST_DEPTH + 8))
        luaL_error(L, "not enough memory for Lua's stack");
    d.text =
        (struct json_text){.L = L, .start = (const unsigned char *)text, .end = (const unsigned char *)text + size};
    d.facts = facts;
    d.strings = top + 1;
    d.key_count = 0;
    d.root = (struct key){.elements = expected < MOST_ROOM ? (int)expected : MOST_ROOM};
    d.unknown = (struct key){.size = 0};
    d.inner = d.levels;
    *d.inner = (struct level){.under = &d.root};
    lua_settop(L, top + MOST_KEYS);
    bool good = read_text(&d, size) != NULL;
    facts->replaced = d.text.replaced;
    bool empty = skip_space(d.text.start) == d.text.end;
    facts->cut_short = d.text.cut_short && !empty;
    if (empty)
        lua_pushliteral(L, "the body is empty");
    else if (!good)
        lua_pushfstring(L, "%s at byte %I", d.text.wrong, (LUAI_UACINT)(d.text.at - d.text.start + 1));
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return good;
}

char json_first(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!is_space((unsigned char)text[i]))
            return text[i];
    return '\0';
}

/* core.decode(text): its value; nil and what is wrong. */
static int f_decode(lua_State *L) {
    size_t size;
    struct json_facts facts = {.expected = 0};
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
