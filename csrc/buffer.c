#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool buffer_append(struct buffer *b, const void *data, size_t size) {
    if (size == 0)
        return true;
    if (size > b->capacity - b->size) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity - b->size < size) {
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
    return true;
}

void buffer_free(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){.data = NULL};
}
