/* One pass over the pages of a list: when it ends, how far to ask ahead, and whether what it saw can be trusted.
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
    int64_t total_opening;           /* what its first page said */
    int64_t total_first, total_last; /* -1: not known */
    int64_t size;                    /* records of a full page; 0: not known */
    bool measured, corrected;        /* a page with records was held against the size; which is not the server's word */
    int64_t page, pages;             /* the page read last; pages read */
    int64_t seen, duplicates;        /* records: distinct ones, ones that came again */
    int empty, stale;                /* pages in a row without a record; with records, but no new one */
    bool shorter;                    /* the page read last held fewer records than the server says a page holds */
    bool shrank;                     /* the total went down */
    bool looped, clamped;            /* see the contract's report() */
    bool over;
};

/* What is known of a reading when a pass is over, beside the pass itself. */
struct reading {
    bool exact, once;  /* once: a single pass, whatever it saw */
    int passes;        /* this one included */
    bool same;         /* it brought the same ids as the one before */
    bool in_order;     /* in the same order */
    uint64_t ids;      /* how many */
    bool unidentified; /* it had records without an id */
    bool lost;         /* such records were delivered, and the pages are others now: some may be missing */
};

enum pass_next { PASS_DONE, PASS_AGAIN, PASS_PROVED, PASS_UNSETTLED };

enum { PASS_MOST = 4, PASS_MOST_EXACT = 8 };

/* `size`: of a page where it is known from an earlier run, else 0. */
void pass_start(struct pass *p, int64_t first, int64_t size);

/* Whether the first page of a pass that starts further on is another than the one asked for: none of its records count. */
bool pass_misplaced(const struct pass *p, const struct page_seen *s);

/* Takes the next page into account; p->over tells whether another is to be read. */
void pass_page(struct pass *p, const struct page_seen *s);

/* The last page that the server has promised; 0: it has promised none. */
int64_t pass_last(const struct pass *p);

/* Whether "not found" for this page is a way to say that there are no more: where all that was promised came, or, without a
 * promise, after a short page. Else it may as well be a lab that went away meanwhile, and is an error. */
bool pass_beyond(const struct pass *p, int64_t page);

/* How many more records the total promises than the pass brought. */
int64_t pass_unseen(const struct pass *p);

/* Whether a record may have been missed. */
bool pass_suspect(const struct pass *p);

/* What follows a pass that is over. Of an exact reading: AGAIN, PROVED, or RESTLESS where it is given up; else AGAIN or
 * DONE. */
enum pass_next pass_next(const struct pass *p, const struct reading *r);

/* The verdict of a reading that ends with this pass: "complete", "drifted", "looped" or "clamped". */
const char *pass_verdict(const struct pass *p, const struct reading *r);

#endif
