#include "base/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool buffer_append(struct buffer *b, const void *data, size_t size) {
    if (size == 0)
        return true;
    if (b->capacity == 0 || size >= b->capacity - b->size) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity - b->size <= size) {
            if (capacity > SIZE_MAX / 2)
                return false;
            capacity *= 2;
        }
        char *data_new = realloc(b->data, capacity);
        if (!data_new)
            return false;
        b->data = data_new;
        b->capacity = capacity;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
    return true;
}

uint64_t buffer_digest(uint64_t digest, const void *data, size_t size) {
    const unsigned char *p = data;
    if (!digest)
        digest = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ p[i]) * UINT64_C(0x100000001b3);
    return digest;
}

void buffer_free(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){.data = NULL};
}
