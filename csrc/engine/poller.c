#include "engine/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>
#else
#include <sys/event.h>
#include <sys/types.h>
#endif

#include "base/timer.h"

enum { BATCH = 64 };

void poller_close(struct poller *p) {
    if (p->alarm >= 0)
        close(p->alarm);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = p->alarm = -1;
    p->armed = -1;
}

#ifdef __linux__

void poller_abandon(struct poller *p) {
    poller_close(p);
}

bool poller_open(struct poller *p) {
    *p = (struct poller){.fd = epoll_create1(EPOLL_CLOEXEC), .alarm = -1, .armed = -1};
    if (p->fd < 0)
        return false;
    p->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = p->alarm}};
    if (p->alarm < 0 || epoll_ctl(p->fd, EPOLL_CTL_ADD, p->alarm, &event) != 0) {
        int saved = errno;
        poller_close(p);
        errno = saved;
        return false;
    }
    return true;
}

bool poller_watch(struct poller *p, int fd, int flags, int old) {
    struct epoll_event event = {.data = {.fd = fd}};
    if (flags & POLLER_READ)
        event.events |= EPOLLIN;
    if (flags & POLLER_WRITE)
        event.events |= EPOLLOUT;
    if (flags == 0) /* the socket may be closed already, and with it its watch */
        return epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, &event) == 0 || errno == EBADF || errno == ENOENT;
    int op = old ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(p->fd, op, fd, &event) == 0)
        return true;
    if (errno != EEXIST && errno != ENOENT)
        return false;
    op = op == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD; /* the number was closed and given out anew */
    return epoll_ctl(p->fd, op, fd, &event) == 0;
}

int poller_wait(struct poller *p, struct poller_event *events, int most, int64_t ns) {
    struct epoll_event got[BATCH];
    int64_t longest = INT64_C(1000000) * INT_MAX;
    int ms = ns <= 0 ? 0 : (int)(((ns < longest ? ns : longest - 999999) + 999999) / 1000000);
    int n = epoll_wait(p->fd, got, most < BATCH ? most : BATCH, ms);
    int filled = 0;
    for (int i = 0; i < n; i++) {
        if (got[i].data.fd == p->alarm) {
            uint64_t expirations;
            if (read(p->alarm, &expirations, sizeof expirations) >= 0)
                p->armed = -1;
            continue;
        }
        int flags = 0;
        if (got[i].events & (EPOLLIN | EPOLLHUP))
            flags |= POLLER_READ;
        if (got[i].events & EPOLLOUT)
            flags |= POLLER_WRITE;
        if (got[i].events & EPOLLERR)
            flags |= POLLER_ERROR;
        events[filled++] = (struct poller_event){got[i].data.fd, flags};
    }
    return filled;
}

void poller_alarm(struct poller *p, int64_t when) {
    if (when == p->armed)
        return;
    struct itimerspec at = {.it_value = {0, 0}}; /* all zero: off */
    if (when >= 0) {
        at.it_value.tv_sec = (time_t)(when / NS_PER_SECOND);
        at.it_value.tv_nsec = (long)(when % NS_PER_SECOND);
        if (when == 0)
            at.it_value.tv_nsec = 1;
    }
    timerfd_settime(p->alarm, TFD_TIMER_ABSTIME, &at, NULL);
    p->armed = when;
}

#else

void poller_abandon(struct poller *p) {
    *p = (struct poller){.fd = -1, .alarm = -1, .armed = -1};
}

bool poller_open(struct poller *p) {
    *p = (struct poller){.fd = kqueue(), .alarm = -1, .armed = -1};
    if (p->fd >= 0)
        fcntl(p->fd, F_SETFD, FD_CLOEXEC);
    return p->fd >= 0;
}

bool poller_watch(struct poller *p, int fd, int flags, int old) {
    const int ways[2] = {POLLER_READ, POLLER_WRITE};
    /* A filter's type differs from system to system. */
    const struct kevent filters[2] = {{.filter = EVFILT_READ}, {.filter = EVFILT_WRITE}};
    bool ok = true;
    for (int i = 0; i < 2; i++) {
        int way = ways[i];
        if ((flags & way) == (old & way))
            continue;
        struct kevent change = filters[i];
        change.ident = (uintptr_t)fd;
        change.flags = flags & way ? EV_ADD : EV_DELETE;
        if (kevent(p->fd, &change, 1, NULL, 0, NULL) != 0 && flags & way)
            ok = false;
    }
    return ok;
}

int poller_wait(struct poller *p, struct poller_event *events, int most, int64_t ns) {
    struct kevent got[BATCH];
    struct timespec wait = {(time_t)(ns / NS_PER_SECOND), (long)(ns % NS_PER_SECOND)};
    if (ns <= 0)
        wait = (struct timespec){0, 0};
    int n = kevent(p->fd, NULL, 0, got, most < BATCH ? most : BATCH, &wait);
    int filled = 0;
    for (int i = 0; i < n; i++) {
        if (got[i].filter == EVFILT_TIMER) {
            p->armed = -1;
            continue;
        }
        int flags = got[i].filter == EVFILT_READ ? POLLER_READ : POLLER_WRITE;
        if (got[i].flags & EV_ERROR)
            flags |= POLLER_ERROR;
        events[filled++] = (struct poller_event){(int)got[i].ident, flags};
    }
    return filled;
}

void poller_alarm(struct poller *p, int64_t when) {
    if (when == p->armed)
        return;
    struct kevent change;
    int64_t ms = when < 0 ? 0 : (when - timer_now() + 999999) / 1000000;
    EV_SET(&change, 1, EVFILT_TIMER, when < 0 ? EV_DELETE : EV_ADD | EV_ENABLE | EV_ONESHOT, 0, ms < 1 ? 1 : ms, NULL);
    kevent(p->fd, &change, 1, NULL, 0, NULL);
    p->armed = when;
}

#endif
