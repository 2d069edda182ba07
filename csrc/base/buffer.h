/* A growing block of bytes with a bound. Owned by the structure that embeds it; buffer_free ends it. */
#ifndef CALIRA_BUFFER_H
#define CALIRA_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data; /* malloc'd, with a NUL behind the bytes; NULL while nothing was appended */
    size_t size, capacity;
};

/* Appends; false, leaving the buffer as it was, when memory ran out. */
bool buffer_append(struct buffer *b, const void *data, size_t size);

/* Goes on with a digest (0 at first) over some bytes: FNV-1a, 64 bits. Tells texts apart, protects nothing. */
uint64_t buffer_digest(uint64_t digest, const void *data, size_t size);

/* Empties and frees; may be called again. */
void buffer_free(struct buffer *b);

#endif
