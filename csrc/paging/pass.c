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
    return p->total_last >= 0 && page > p->first && page > pass_last(p);
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

/* Whether the pass is at its end after this page. With a total, the server's promise is followed beyond a hole. */
static bool at_end(struct pass *p, const struct page_seen *s) {
    bool shorter = p->size > 0 && s->records < p->size;
    if (p->total_last < 0)
        return s->records == 0 || s->fresh == 0 || (s->size > 0 && s->records < s->size);
    if (p->empty >= 2)
        return true;
    if (s->records > 0 && s->fresh == 0 && !reached(p)) {
        p->clamped = s->current >= 0 && s->current != s->page;
        p->looped = !p->clamped && p->stale >= 2;
        return p->clamped || p->looped;
    }
    if (p->size == 0) /* no full page to reckon with: nothing came yet, or all came on one page */
        return reached(p) && (p->seen <= p->total_last || s->fresh == 0);
    if (s->page < pass_last(p))
        return false;
    return before(p) + p->seen <= p->total_last || shorter || s->fresh == 0;
}

void pass_page(struct pass *p, const struct page_seen *s) {
    p->page = s->page;
    p->pages++;
    take_total(p, s);
    take_size(p, s);
    p->seen += s->fresh;
    p->duplicates += s->records - s->fresh;
    p->empty = s->records == 0 ? p->empty + 1 : 0;
    if (s->records > 0)
        p->stale = s->fresh == 0 ? p->stale + 1 : 0;
    p->over = at_end(p, s);
    if (p->over && s->fresh == 0 && !p->looped && !p->clamped)
        p->duplicates -= s->records; /* the last page once more is a way to say that there are no more */
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
