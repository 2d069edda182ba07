/* The client: options of all its calls, as a userdata; the queue of its calls is call.h's.
 *
 * Owns its queue, token, base URL and trace; its texts are Lua strings in its first user value. Borrowed by calls, whose
 * userdata hold the client in a user value.
 */
#ifndef CALIRA_CLIENT_H
#define CALIRA_CLIENT_H

#include <lua.h>

#include "http/call.h"

#define CLIENT "calira.api.client"

/* User values of a client. */
enum { CLIENT_OPTIONS = 1, CLIENT_TRACE, CLIENT_TOKEN_ERROR, CLIENT_VALUES = 3 };

struct client {
    struct queue queue;
    struct settings settings;
    struct url base;
};

/* The client at `index`, open; raises `closed` or `argument`. */
struct client *client_check(lua_State *L, int index);

/* Adds the path and the query (an array of names and values by turns at `query`, 0: none; then `count` further pairs) to
 * the base URL as c->url, and the path as c->path. Raises `argument` for a path that may not be asked for. */
void client_address(lua_State *L, struct client *client, struct call *c, const char *path, int query,
                    const struct url_pair *more, size_t count);

/* Tells the trace function of the client at `index` what it was not told yet. An error in it becomes a warning. */
void client_tell(lua_State *L, int index);

/* Adds the function `client` and the table `client_methods` to the module table on the top. */
void client_open(lua_State *L);

#endif
