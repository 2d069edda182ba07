/* Base URLs, paths and queries: what is accepted gives an address of the base's own host, below the base's path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/url.h"

/* The input's lines: base URL, path, name, value. */
static char *line(const uint8_t **data, size_t *size) {
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t length = end ? (size_t)(end - *data) : *size;
    char *copy = malloc(length + 1);
    if (!copy)
        abort();
    memcpy(copy, *data, length);
    copy[length] = '\0';
    *data += length + (end != NULL);
    *size -= length + (end != NULL);
    return copy;
}

static void check(const struct url *u, const char *made) {
    char *ours = NULL, *theirs = NULL;
    CURLU *again = curl_url();
    if (!again || curl_url_set(again, CURLUPART_URL, made, 0) != CURLUE_OK ||
        curl_url_get(again, CURLUPART_HOST, &theirs, 0) != CURLUE_OK ||
        curl_url_get(u->base, CURLUPART_HOST, &ours, 0) != CURLUE_OK || strcmp(ours, theirs) != 0 ||
        strpbrk(made, "\r\n\t ") || strchr(made, '#'))
        __builtin_trap();
    curl_free(ours);
    curl_free(theirs);
    curl_url_cleanup(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *base = line(&data, &size), *path = line(&data, &size), *name = line(&data, &size),
         *value = line(&data, &size);
    struct url u = {.base = NULL};
    char *made = NULL, origin[300];
    const struct url_pair pair = {name, value};
    url_origin(value, origin, sizeof origin);
    if (!url_open(&u, base) && !url_check_path(path, strlen(path)) && !strpbrk(name, "=&") &&
        !url_build(&u, path, &pair, 1, &made))
        check(&u, made);
    curl_free(made);
    url_close(&u);
    free(base);
    free(path);
    free(name);
    free(value);
    return 0;
}
