/* threads: four Lua states, each in a thread of its own, each with an engine of its own: they share nothing, and none
 * waits for another.
 *
 *   cmake --preset release && cmake --build --preset release --target threads
 *   CALIRA_TOKEN=… build/release/examples/threads LAB…     four labs at the most
 *
 * Prints how many bookings each lab has. Exit status: 0, or 1 after an error.
 */
#include "calira.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 4 };

static const char script[] = "local calira = require 'calira'\n"
                             "local lab, count = ..., 0\n"
                             "for _ in calira.bookings{ provider = lab } do count = count + 1 end\n"
                             "return string.format('lab %s: %d bookings', lab, count)\n";

/* What a thread is given, and what it gives back. */
struct job {
    const char *lab;
    char text[200]; /* the answer, or what went wrong */
    int ok;
};

/* A thread makes its state, uses it and closes it; a state that moves between threads needs a lock of the host's. */
static void *work(void *data) {
    struct job *job = data;
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        snprintf(job->text, sizeof job->text, "lab %s: no memory", job->lab);
        return NULL;
    }
    luaL_openlibs(L);
    calira_preload(L);
    int status = luaL_loadstring(L, script);
    if (status == LUA_OK) {
        lua_pushstring(L, job->lab);
        status = lua_pcall(L, 1, 1, 0);
    }
    job->ok = status == LUA_OK;
    snprintf(job->text, sizeof job->text, "%s", luaL_tolstring(L, -1, NULL));
    lua_close(L);
    return NULL;
}

int main(int argc, char **argv) {
    int count = argc - 1, ok = 1;
    if (count < 1 || count > MOST) {
        fprintf(stderr, "usage: threads LAB… (up to %d)\n", MOST);
        return EXIT_FAILURE;
    }
    struct job jobs[MOST] = {0};
    pthread_t threads[MOST];
    for (int i = 0; i < count; i++) {
        jobs[i].lab = argv[i + 1];
        if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0) {
            perror("threads");
            exit(EXIT_FAILURE);
        }
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        fprintf(jobs[i].ok ? stdout : stderr, "%s\n", jobs[i].text);
        ok = ok && jobs[i].ok;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
