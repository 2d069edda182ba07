/* Floor 2. One pass over the pages of a list: when it ends, how far to ask ahead, and whether what it saw can be trusted.
 *
 * Policy alone: fed with what each page brought, in order. The rules are CONTRACT section 5, "Paging" and "No record twice,
 * none lost"; what the service does past its promises is not known (API.md), so every case is bounded.
 */
#ifndef CALIRA_PASS_H
#define CALIRA_PASS_H

#include <stdbool.h>
#include <stdint.h>

/* What a page brought. Numbers from headers are -1 where the header is missing or junk. */
struct page_seen {
    int64_t page;                 /* asked for */
    int64_t total, current, size; /* X-Total-Records, X-Current-Page, X-Per-Page */
    int64_t records, fresh;       /* in the body; of these, not seen before in this pass */
};

struct pass {
    int64_t first;                   /* the page it starts with */
    int64_t total_first, total_last; /* -1: not known */
    int64_t size;                    /* records of a full page; 0: not known */
    int64_t page, pages;             /* the page read last; pages read */
    int64_t seen, duplicates;        /* records: distinct ones, ones that came again */
    int empty, stale;                /* pages in a row without a record; without a new one */
    bool shrank;                     /* the total went down */
    bool looped, clamped;            /* see the contract's report() */
    bool over;
};

void pass_start(struct pass *p, int64_t first);

/* Takes the next page into account; p->over tells whether another is to be read. */
void pass_page(struct pass *p, const struct page_seen *s);

/* The last page that the server has promised; 0: it has promised none. */
int64_t pass_last(const struct pass *p);

/* How many more records the total promises than the pass brought. */
int64_t pass_unseen(const struct pass *p);

/* Whether a record may have been missed. */
bool pass_suspect(const struct pass *p);

#endif
