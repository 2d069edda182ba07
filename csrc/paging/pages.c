#include "paging/pages.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOKAHEAD_FIRST = 4
}; /* before it is known how fast the reader is: leaving after a record cancels no more calls */

void pages_init(struct pages *p, struct client *client, int per_page, int lookahead) {
    bool finds = lookahead == PAGES_FIND_LOOKAHEAD;
    int most = finds ? client->queue.throttle.config.max_in_flight : lookahead;
    *p = (struct pages){
        .client = client,
        .per_page = per_page,
        .most = most,
        .lookahead = finds && most > LOOKAHEAD_FIRST ? LOOKAHEAD_FIRST : most,
        .finds = finds,
        .next = 1,
        .asked = 1,
        .room = most + 2,
    };
    cond_init(&p->changed);
}

static struct call *slot(const struct pages *p, int64_t page) {
    return &p->slots[page % p->room];
}

static void make_slots(lua_State *L, struct pages *p) {
    if (p->slots)
        return;
    p->slots = malloc((size_t)p->room * sizeof *p->slots);
    if (!p->slots)
        luaL_error(L, "not enough memory");
    for (int i = 0; i < p->room; i++)
        call_init(&p->slots[i], &p->changed);
}

/* Asks for the page `p->asked`, unless making its address has let somebody else do so. */
static void ask(lua_State *L, struct pages *p, int path, int query) {
    char page[24], size[24];
    const struct url_pair more[] = {{"page", page}, {"per_page", size}};
    int64_t number = p->asked;
    snprintf(page, sizeof page, "%lld", (long long)number);
    snprintf(size, sizeof size, "%d", p->per_page);
    struct address *address = client_address(L, p->client, lua_tostring(L, path), query, more, 2);
    if (p->slots && p->asked == number) {
        struct call *c = slot(p, number);
        call_drop(c);
        client_ask(L, p->client, c, address);
        p->requests++;
        p->asked++;
    }
    lua_pop(L, 1);
}

void pages_ask(lua_State *L, struct pages *p, int path, int query, int64_t last, int taken, bool need) {
    make_slots(L, p);
    while (p->slots) {
        int64_t most = p->next - 1 + taken + p->lookahead;
        if (last < most)
            most = last;
        if (need && p->next > most)
            most = p->next;
        if (p->asked > most)
            return;
        ask(L, p, path, query);
    }
}

void pages_limit_lookahead(struct pages *p, int64_t most) {
    int made_for = p->room - 2;
    p->most = most < 0 ? 0 : most < made_for ? (int)most : made_for;
    if (!p->finds || p->lookahead > p->most)
        p->lookahead = p->most;
}

void pages_waited(struct pages *p) {
    p->unhurried = 0;
    if (p->finds)
        p->lookahead = p->most;
}

void pages_did_not_wait(struct pages *p) {
    if (!p->finds || ++p->unhurried <= p->lookahead)
        return;
    p->unhurried = 0;
    p->lookahead -= p->lookahead > 1;
}

struct call *pages_head(const struct pages *p) {
    return p->slots && p->asked > p->next ? slot(p, p->next) : NULL;
}

int pages_over(const struct pages *p) {
    int over = 0;
    for (int64_t page = p->next; p->slots && page < p->asked; page++)
        over += call_over(slot(p, page));
    return over;
}

void pages_advance(struct pages *p) {
    struct call *c = slot(p, p->next);
    p->requests += c->retries + c->resent;
    call_drop(c);
    p->next++;
}

/* A call that was still queued was no request. */
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
    queue_signal(&p->client->queue);
}
