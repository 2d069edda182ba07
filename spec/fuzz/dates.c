/* HTTP dates and Retry-After: junk is ignored, a wait is never negative. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "http/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char line[600];
    struct headers h = {.text = {NULL, 0, 0}};
    if (headers_date((const char *)data, size) < -1)
        __builtin_trap();
    if (size > 500)
        return 0;
    int n = snprintf(line, sizeof line, "Retry-After: %.*s", (int)size, (const char *)data);
    headers_line(&h, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 37);
    headers_line(&h, line, (size_t)n);
    double wait = headers_retry_after(&h, 0);
    if (wait < 0 && wait != -1)
        __builtin_trap();
    buffer_free(&h.text);
    return 0;
}
