#include "paging/pages.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

void pages_init(struct pages *p, struct client *client, const char *path, int per_page, int lookahead) {
    *p = (struct pages){
        .client = client,
        .budget = {BUDGET_START},
        .path = path,
        .per_page = per_page,
        .lookahead = lookahead,
        .next = 1,
        .asked = 1,
        .room = lookahead + 2,
    };
    cond_init(&p->changed);
}

static struct call *slot(struct pages *p, int64_t page) {
    return &p->slots[page % p->room];
}

static void make_slots(lua_State *L, struct pages *p) {
    if (p->slots)
        return;
    p->slots = malloc((size_t)p->room * sizeof *p->slots);
    if (!p->slots)
        luaL_error(L, "not enough memory");
    for (int i = 0; i < p->room; i++)
        call_init(&p->slots[i], &p->changed, &p->budget);
}

static void ask(lua_State *L, struct pages *p, int query) {
    char page[24], size[24];
    const struct url_pair more[] = {{"page", page}, {"per_page", size}};
    struct call *c = slot(p, p->asked);
    if (p->client->queue.closed)
        error_throw(L, "closed", "the client is closed");
    snprintf(page, sizeof page, "%lld", (long long)p->asked);
    snprintf(size, sizeof size, "%d", p->per_page);
    call_drop(c); /* an earlier attempt to ask may have left an address */
    client_address(L, p->client, c, p->path, query, more, 2);
    call_ask(c, &p->client->queue);
    p->requests++;
    p->asked++;
}

void pages_ask(lua_State *L, struct pages *p, int query, int64_t last, int taken, bool need) {
    int64_t most = p->next - 1 + taken + p->lookahead;
    if (last < most)
        most = last;
    if (need && p->next > most)
        most = p->next;
    make_slots(L, p);
    while (p->asked <= most)
        ask(L, p, query);
}

void pages_lookahead(struct pages *p, int64_t most) {
    int made_for = p->room - 2;
    p->lookahead = most < 0 ? 0 : most < made_for ? (int)most : made_for;
}

struct call *pages_head(struct pages *p) {
    return p->asked > p->next ? slot(p, p->next) : NULL;
}

void pages_advance(struct pages *p) {
    struct call *c = slot(p, p->next);
    p->requests += c->retries + c->resent;
    call_drop(c);
    p->next++;
}

/* A call that still was still queued was no request. */
static bool never_sent(const struct call *c) {
    return c->queue && !c->transfer.loop && c->retries + c->resent == 0;
}

void pages_restart(struct pages *p, int64_t next) {
    for (int i = 0; p->slots && i < p->room;
         i++) { /* these first: else they would be sent in the place of the others */
        if (!never_sent(&p->slots[i]))
            continue;
        p->requests--;
        call_drop(&p->slots[i]);
    }
    for (int i = 0; p->slots && i < p->room; i++)
        call_drop(&p->slots[i]);
    p->next = p->asked = next;
}

void pages_close(struct pages *p) {
    pages_restart(p, p->next);
    free(p->slots);
    p->slots = NULL;
    cond_signal(&p->changed); /* who waits for a page looks again, and finds the walk closed */
    cond_signal(&p->client->queue.activity);
}
