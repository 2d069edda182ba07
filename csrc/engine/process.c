#include "engine/process.h"

#include <lauxlib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Written in a child alone, before it has other threads. */
static volatile unsigned generation;

static void count_fork(void) {
    generation++;
}

unsigned process_generation(void) {
    return generation;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void) {
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (curl_ready == CURLE_OK && pthread_atfork(NULL, NULL, count_fork) != 0)
        curl_ready = CURLE_OUT_OF_MEMORY;
}

void process_start_curl(lua_State *L) {
    pthread_once(&curl_once, init_curl);
    if (curl_ready != CURLE_OK)
        luaL_error(L, "calira: libcurl did not start: %s", curl_easy_strerror(curl_ready));
}

void process_check_curl(lua_State *L) {
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (info->version_num < 0x075800)
        luaL_error(L, "calira needs libcurl 7.88 or later, and this is %s", info->version);
    if (info->ssl_version && strstr(info->ssl_version, "NSS"))
        luaL_error(L,
                   "calira does not work with a libcurl that uses NSS (%s): it accepts certificates that it should "
                   "refuse; install the flavour for OpenSSL or GnuTLS",
                   info->ssl_version);
}

/* The lock is for hosts that fork without exec and go on threaded. */
struct abandoned {
    struct abandoned *next;
    CURLM *multi;
};
static struct abandoned *abandoned_engines;
static pthread_mutex_t abandoned_lock = PTHREAD_MUTEX_INITIALIZER;

void process_abandon(CURLM *multi) {
    struct abandoned *a = malloc(sizeof *a);
    if (!a)
        return;
    pthread_mutex_lock(&abandoned_lock);
    *a = (struct abandoned){.next = abandoned_engines, .multi = multi};
    abandoned_engines = a;
    pthread_mutex_unlock(&abandoned_lock);
}
