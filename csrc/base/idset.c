#include "base/idset.h"

#include <stdlib.h>

/* The entry of `base`, or the free one where it belongs. The multiplier is 2^64 divided by the golden ratio: Fibonacci
 * hashing (Knuth, TAOCP 3, 6.4). */
static struct idset_entry *find(struct idset_entry *entries, size_t room, uint64_t base) {
    size_t i = (size_t)((base * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (room - 1);
    while (entries[i].bits && entries[i].base != base)
        i = (i + 1) & (room - 1);
    return &entries[i];
}

static bool grow(struct idset *s) {
    size_t room = s->room ? s->room * 2 : 16;
    struct idset_entry *entries = calloc(room, sizeof *entries);
    if (!entries)
        return false;
    for (size_t i = 0; i < s->room; i++)
        if (s->entries[i].bits)
            *find(entries, room, s->entries[i].base) = s->entries[i];
    free(s->entries);
    s->entries = entries;
    s->room = room;
    return true;
}

bool idset_reserve(struct idset *s, size_t count) {
    while ((s->used + count) * 4 > s->room * 3)
        if (!grow(s))
            return false;
    return true;
}

/* Ors the bits into the entry of `base` and returns those that were not there before; *failed: out of memory. */
static uint64_t put(struct idset *s, uint64_t base, uint64_t bits, bool *failed) {
    *failed = s->used * 4 >= s->room * 3 && !grow(s);
    if (*failed)
        return 0;
    struct idset_entry *e = find(s->entries, s->room, base);
    uint64_t added = bits & ~e->bits;
    if (!e->bits) {
        e->base = base;
        s->used++;
    }
    e->bits |= bits;
    for (uint64_t left = added; left; left &= left - 1)
        s->count++;
    return added;
}

enum idset_result idset_add(struct idset *s, uint64_t id) {
    bool failed;
    uint64_t added = put(s, id >> 6, UINT64_C(1) << (id & 63), &failed);
    return failed ? IDSET_NO_MEMORY : added ? IDSET_NEW : IDSET_KNOWN;
}

bool idset_has(const struct idset *s, uint64_t id) {
    return s->room && find(s->entries, s->room, id >> 6)->bits >> (id & 63) & 1;
}

bool idset_merge(struct idset *to, const struct idset *from) {
    bool failed = false;
    for (size_t i = 0; i < from->room && !failed; i++)
        if (from->entries[i].bits)
            put(to, from->entries[i].base, from->entries[i].bits, &failed);
    return !failed;
}

bool idset_holds(const struct idset *s, const struct idset *part) {
    for (size_t i = 0; i < part->room; i++) {
        const struct idset_entry *e = &part->entries[i];
        if (e->bits && (!s->room || e->bits & ~find(s->entries, s->room, e->base)->bits))
            return false;
    }
    return true;
}

void idset_free(struct idset *s) {
    free(s->entries);
    *s = (struct idset){.entries = NULL};
}
