/* What belongs to the process and not to one Lua state: libcurl's global set-up, and forks. All of the library's mutable static
 * data is here. */
#ifndef CALIRA_PROCESS_H
#define CALIRA_PROCESS_H

#include <curl/curl.h>
#include <lua.h>

/* Raises where the libcurl that is loaded is too old, or one that accepts certificates that it should refuse. */
void process_check_curl(lua_State *L);

/* Starts libcurl, once for the process: before the first address or handle is made. Raises where it does not start. */
void process_start_curl(lua_State *L);

/* Counts the forks that led to this process. */
unsigned process_generation(void);

/* Keeps what a fork left of the parent's engine reachable, for leak checkers; it is never freed. */
void process_abandon(CURLM *multi);

#endif
