#include "pass.h"

void pass_start(struct pass *p, int64_t first) {
    *p = (struct pass){.first = first, .total_first = -1, .total_last = -1};
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
    if (s->total < 0)
        return;
    if (p->total_last >= 0 && s->total < p->total_last)
        p->shrank = true;
    if (p->total_first < 0)
        p->total_first = s->total;
    p->total_last = s->total;
}

/* The size of a page is the server's own word, unless its first page shows otherwise: fewer records than the word, though
 * the total says that more follow. */
static void take_size(struct pass *p, const struct page_seen *s) {
    if (p->size > 0)
        return;
    p->size = s->size > 0 ? s->size : 0;
    bool more = s->total >= 0 && s->total > before(p) + s->records;
    if (s->records > 0 && more && (p->size == 0 || s->records < p->size))
        p->size = s->records;
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
