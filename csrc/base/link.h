/* Intrusive doubly linked lists: membership costs no allocation and ends from either side.
 *
 * A list head is a link that points to itself when empty; a member that is in no list points to itself too, so that
 * link_drop may be called at any time and any number of times.
 */
#ifndef CALIRA_LINK_H
#define CALIRA_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev, *next;
};

/* The structure that holds `ptr` as its member `field`. */
#define link_owner(ptr, type, field) ((type *)(void *)((char *)(ptr)-offsetof(type, field)))

static inline void link_init(struct link *l) {
    l->prev = l->next = l;
}

/* A head: whether the list is empty. A member: whether it is in no list. */
static inline bool link_alone(const struct link *l) {
    return l->next == l;
}

static inline void link_drop(struct link *l) {
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

/* Puts `l`, which is in no list, before `at`: at the end of the list where `at` is its head. */
static inline void link_put(struct link *at, struct link *l) {
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}

/* Takes the first member out of the list; NULL where it is empty. */
static inline struct link *link_take(struct link *head) {
    struct link *l = head->next;
    if (l == head)
        return NULL;
    link_drop(l);
    return l;
}

/* Moves all members of `from` to the end of `to`. */
static inline void link_move(struct link *to, struct link *from) {
    struct link *l;
    while ((l = link_take(from)) != NULL)
        link_put(to, l);
}

#endif
