/* One descriptor that stands for many: epoll with a timerfd on Linux, kqueue elsewhere.
 *
 * The descriptor is readable when a watched socket is ready or the alarm is due; a host may nest it in its own loop.
 * (The kqueue half is compiled on BSD and macOS only.)
 */
#ifndef CALIRA_POLLER_H
#define CALIRA_POLLER_H

#include <stdbool.h>
#include <stdint.h>

enum { POLLER_READ = 1, POLLER_WRITE = 2, POLLER_ERROR = 4 };

struct poller {
    int fd;        /* -1: closed */
    int alarm;     /* timerfd; -1 where the alarm needs no descriptor */
    int64_t armed; /* when the alarm is due, monotonic ns; -1: off */
};

struct poller_event {
    int fd, flags;
};

/* Opens; false with errno where the system refuses. */
bool poller_open(struct poller *p);

void poller_close(struct poller *p);

/* What the child of a fork does instead: an epoll set is the parent's too, and is closed by number alone; a kqueue is not
 * inherited at all, and its number may be another file by now. */
void poller_abandon(struct poller *p);

/* Watches `fd` for POLLER_READ and POLLER_WRITE; 0 ends it. `old` is what it was watched for. False: refused. */
bool poller_watch(struct poller *p, int fd, int flags, int old);

/* Waits at most `ns` nanoseconds (rounded up to a millisecond) and fills `events`; returns how many. */
int poller_wait(struct poller *p, struct poller_event *events, int most, int64_t ns);

/* Makes the descriptor readable at `when` (monotonic ns; -1: never). For hosts that poll it. */
void poller_alarm(struct poller *p, int64_t when);

#endif
