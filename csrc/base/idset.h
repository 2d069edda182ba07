/* A set of 64-bit ids, compact where they are dense: an open-addressing table whose entries are 64 ids each
 * (a number and a bitmap). Dense ids cost about half a byte each, scattered ones up to 32; any are correct.
 * Owned by the structure that embeds it; idset_free ends it.
 */
#ifndef CALIRA_IDSET_H
#define CALIRA_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset_entry {
    uint64_t base; /* id / 64 */
    uint64_t bits; /* 0: the entry is free */
};

struct idset {
    struct idset_entry *entries;
    size_t room, used; /* entries; room is 0 or a power of two */
    uint64_t count;    /* ids */
};

enum idset_result { IDSET_NEW, IDSET_KNOWN, IDSET_NO_MEMORY };

/* Makes room for `count` more ids, which idset_add then takes without allocating. False: out of memory. */
bool idset_reserve(struct idset *s, size_t count);

enum idset_result idset_add(struct idset *s, uint64_t id);
bool idset_has(const struct idset *s, uint64_t id);
/* Adds all of `from`; false: out of memory. */
bool idset_merge(struct idset *to, const struct idset *from);

/* Whether `s` holds all of `part`. */
bool idset_holds(const struct idset *s, const struct idset *part);

void idset_free(struct idset *s);

#endif
