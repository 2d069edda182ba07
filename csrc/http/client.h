/* The client: options of all its calls, as a userdata; the queue of its calls is call.h's.
 *
 * Owns its queue, token, base URL and trace; its texts are Lua strings in its first user value. Borrowed by calls, whose
 * userdata hold the client in a user value.
 */
#ifndef CALIRA_CLIENT_H
#define CALIRA_CLIENT_H

#include <lua.h>

#include "http/call.h"
#include "http/url.h"

#define CLIENT "calira.client"

/* User values of a client. */
enum { CLIENT_OPTIONS = 1, CLIENT_TRACE, CLIENT_TOKEN_ERROR, CLIENT_TOKEN, CLIENT_TOKEN_BEFORE, CLIENT_VALUES = 5 };

struct client {
    struct resource resource;
    struct queue queue;
    struct settings settings;
    struct url base;
};

/* The client at `index`, open; raises `closed` or `argument`. */
struct client *client_check(lua_State *L, int index);

/* An address, owned until a call takes it. */
struct address {
    char *url; /* freed by curl_free; NULL: taken */
};

/* Pushes the address of a path and a query (an array of names and values by turns at `query`, 0: none; then `count` further
 * pairs) under the base URL. Raises `argument` for a path that may not be asked for. */
struct address *client_address(lua_State *L, struct client *client, const char *path, int query,
                               const struct url_pair *more, size_t count);

/* Asks for an address: the call takes it and stands in the queue. Raises `closed` where the client was closed meanwhile, and
 * `argument` inside the client's own token function or limiter, which the call would wait for. */
void client_ask(lua_State *L, struct client *client, struct call *c, struct address *address);

/* Tells the trace function of the client at `index` what it was not told yet. An error in it becomes a warning. */
void client_tell(lua_State *L, int index);

/* Adds the function `client` and the table `client_methods` to the module table on the top. */
void client_open(lua_State *L);

#endif
