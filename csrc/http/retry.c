#include "http/retry.h"

bool retry_status(long status) {
    return status == 408 || status == 429 || (status >= 500 && status < 600 && status != 501 && status != 505);
}

double retry_delay(const struct retry_policy *p, const struct retry_case *c) {
    if (!c->passing)
        return RETRY_STOP;
    if (c->retry_after > p->max_wait)
        return RETRY_TOO_LONG;
    if (c->made >= p->retries)
        return RETRY_STOP;
    double backoff = p->base;
    for (int i = 0; i < c->made && backoff < p->max; i++)
        backoff *= 2;
    if (backoff > p->max)
        backoff = p->max;
    if (c->retry_after >= 0) {
        double jitter = p->base < p->max ? p->base : p->max;
        return c->retry_after + c->random * jitter;
    }
    return c->random * backoff;
}
