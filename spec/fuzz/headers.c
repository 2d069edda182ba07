/* Response headers: any bytes as header lines, then every way of looking into them. */
#include <stdint.h>
#include <string.h>

#include "http/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct headers h = {.text = {NULL, 0, 0}};
    size_t at = 0, name_size, value_size;
    const char *name, *value;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (data + at)) + 1 : size - at;
        if (headers_line(&h, (const char *)data + at, length) != HEADERS_OK)
            break;
        at += length;
    }
    at = 0;
    while (headers_next(&h, &at, &name, &name_size, &value, &value_size))
        if (name_size + value_size > h.text.size)
            __builtin_trap();
    int64_t total = headers_number(&h, "x-total-records");
    double wait = headers_retry_after(&h, 1700000000);
    if (total < -1 || total >= INT64_C(1) << 53 || (wait < 0 && wait != -1))
        __builtin_trap();
    struct ratelimit r;
    headers_rate_limit(&h, 1700000000, &r);
    if (r.limit < -1 || r.remaining < -1 || r.window < -1 || (r.reset < 0 && r.reset != -1))
        __builtin_trap();
    buffer_free(&h.text);
    return 0;
}
