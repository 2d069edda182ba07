#include "paging/pass.h"

enum { SIZE_MOST = 1 << 20 }; /* a page size beyond it is nonsense; with it no product overflows */

void pass_start(struct pass *p, int64_t first, int64_t size) {
    *p = (struct pass){.first = first, .total_opening = -1, .total_first = -1, .total_last = -1};
    if (size > 0 && size <= SIZE_MOST) {
        p->size = size;
        p->measured = p->corrected = true;
    }
}

/* Records before the first page, which were not read. */
static int64_t before(const struct pass *p) {
    return (p->first - 1) * p->size;
}

static bool reached(const struct pass *p) {
    return p->total_last >= 0 && before(p) + p->seen >= p->total_last;
}

int64_t pass_last(const struct pass *p) {
    if (p->total_last < 0 || p->size <= 0)
        return 0;
    return p->total_last / p->size + (p->total_last % p->size != 0);
}

bool pass_beyond(const struct pass *p, int64_t page) {
    if (page <= p->first)
        return false;
    return p->total_last >= 0 ? page > pass_last(p) : p->shorter;
}

int64_t pass_unseen(const struct pass *p) {
    bool countable = p->total_last >= 0 && (p->first == 1 || p->size > 0);
    int64_t unseen = countable ? p->total_last - before(p) - p->seen : 0;
    return unseen > 0 ? unseen : 0;
}

bool pass_suspect(const struct pass *p) {
    int64_t added = p->total_last - p->total_first;
    return p->shrank || pass_unseen(p) > 0 || p->duplicates > (added > 0 ? added : 0);
}

static void take_total(struct pass *p, const struct page_seen *s) {
    if (p->pages == 1)
        p->total_opening = s->total;
    if (s->total < 0)
        return;
    if (p->total_last >= 0 && s->total < p->total_last)
        p->shrank = true;
    if (p->total_first < 0)
        p->total_first = s->total;
    p->total_last = s->total;
}

/* The size of a page is the server's own word, unless its first page with records shows otherwise: more than the word, or
 * fewer though the total says that more follow. */
static void take_size(struct pass *p, const struct page_seen *s) {
    if (p->measured)
        return;
    if (p->size <= 0 && s->size > 0)
        p->size = s->size < SIZE_MOST ? s->size : SIZE_MOST;
    if (s->records == 0)
        return;
    p->measured = true;
    bool more = s->total >= 0 && s->total > (s->page - 1) * p->size + s->records;
    if (p->size > 0 ? s->records > p->size || (more && s->records < p->size) : more) {
        p->corrected = true;
        p->size = s->records;
    }
}

/* What a page is to the pass. */
enum page_class {
    PAGE_EMPTY,
    PAGE_CLAMPED, /* another page than the one asked for, which brings nothing */
    PAGE_STALE,   /* records, and none of them new */
    PAGE_SHORT,   /* fewer records than a page holds */
    PAGE_FULL,
};

bool pass_misplaced(const struct pass *p, const struct page_seen *s) {
    return p->pages == 0 && s->page > 1 && s->current >= 0 && s->current != s->page;
}

static enum page_class classify(const struct pass *p, const struct page_seen *s) {
    bool misplaced = p->pages == 1 && s->page > 1;
    if (s->fresh == 0 && (s->records > 0 || misplaced) && s->current >= 0 && s->current != s->page)
        return PAGE_CLAMPED;
    if (s->records == 0)
        return PAGE_EMPTY;
    if (s->fresh == 0)
        return PAGE_STALE;
    return p->size > 0 && s->records < p->size ? PAGE_SHORT : PAGE_FULL;
}

/* Whether a pass whose server promises a total is at its end. The promise is followed beyond a hole, and where more came than
 * was promised the list is read on until a page is short or brings nothing. */
static bool promise_kept(const struct pass *p, const struct page_seen *s, enum page_class class) {
    bool overfull = before(p) + p->seen > p->total_last;
    if (p->size == 0) /* no full page to reckon with: nothing came yet, or all came on one page */
        return reached(p) && (!overfull || s->fresh == 0);
    if (s->page < pass_last(p))
        return false;
    return !overfull || class != PAGE_FULL;
}

/* Whether the pass is at its end after this page. */
static bool at_end(struct pass *p, const struct page_seen *s, enum page_class class) {
    if (p->total_last < 0) /* a short page proves nothing: services trim pages by what the token may see */
        return s->fresh == 0;
    if (class == PAGE_EMPTY && p->empty >= 2)
        return true;
    if (class == PAGE_CLAMPED && !reached(p))
        return p->clamped = true;
    if (class == PAGE_STALE && !reached(p))
        return p->looped = p->stale >= 2;
    return promise_kept(p, s, class);
}

void pass_page(struct pass *p, const struct page_seen *s) {
    p->page = s->page;
    p->pages++;
    take_total(p, s);
    take_size(p, s);
    p->seen += s->fresh;
    p->empty = s->records == 0 ? p->empty + 1 : 0;
    if (s->records > 0)
        p->stale = s->fresh == 0 ? p->stale + 1 : 0;
    p->over = at_end(p, s, classify(p, s));
    p->shorter = s->size > 0 && s->records < s->size;
    bool last_again = p->over && s->fresh == 0 && !p->looped && !p->clamped; /* a way to say that there are no more */
    p->duplicates += last_again ? 0 : s->records - s->fresh;
}

/* ---- after a pass ---- */

/* Whether the list held, at the instant of this pass's first page, just what this pass brought: each id was there in the
 * pass before and is in this one, so at that instant too; and there were no more. */
static bool proved(const struct pass *p, const struct reading *r) {
    if (r->passes < 2 || !r->same || r->unidentified)
        return false;
    if (p->total_opening >= 0)
        return p->total_opening - before(p) == (int64_t)r->ids;
    return p->total_last < 0 && r->in_order && p->duplicates == 0;
}

enum pass_next pass_next(const struct pass *p, const struct reading *r) {
    if (r->exact) {
        if (proved(p, r))
            return PASS_PROVED;
        return r->passes < PASS_MOST_EXACT ? PASS_AGAIN : PASS_UNSETTLED;
    }
    bool settled = !pass_suspect(p) && !p->looped && !p->clamped && !r->lost;
    bool enough = r->same || r->once || r->passes >= PASS_MOST;
    return settled || enough ? PASS_DONE : PASS_AGAIN;
}

const char *pass_verdict(const struct pass *p, const struct reading *r) {
    if (p->clamped)
        return "clamped";
    if (p->looped)
        return "looped";
    bool unsettled = pass_suspect(p) && !r->same;
    return !r->exact && (unsettled || r->lost) ? "drifted" : "complete";
}
