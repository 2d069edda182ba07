#include "engine/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/process.h"

enum { MOST_RESTARTS = 3, MOST_CONNECTIONS = 64, MOST_ROUNDS = 8, MOST_EVENTS = 64, MOST_READS = 1000 };

static const int64_t PAUSE_COUNTED = NS_PER_SECOND / 4; /* of a reader's pause, as time of the attempts under way */

/* ---- libcurl's callbacks: they record, and touch neither Lua nor the multi handle ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known) {
    (void)easy;
    struct loop *lp = data;
    int old = (int)(intptr_t)known;
    int flags = 0;
    if (what != CURL_POLL_REMOVE)
        flags = (what & CURL_POLL_IN ? POLLER_READ : 0) | (what & CURL_POLL_OUT ? POLLER_WRITE : 0);
    if (!poller_watch(&lp->poller, fd, flags, old))
        lp->broken = true;
    if (what != CURL_POLL_REMOVE && curl_multi_assign(lp->multi, fd, (void *)(intptr_t)flags) != CURLM_OK)
        lp->broken = true;
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *data) {
    (void)multi;
    struct loop *lp = data;
    lp->curl_when = ms < 0 ? -1 : timer_now() + (int64_t)ms * 1000000;
    return 0;
}

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct loop *lp = data;
    if (lp->socket_count == lp->socket_room) {
        size_t room = lp->socket_room ? lp->socket_room * 2 : 16;
        int *grown = realloc(lp->sockets, room * sizeof *grown);
        if (!grown)
            return CURL_SOCKET_BAD;
        lp->sockets = grown;
        lp->socket_room = room;
    }
#ifdef SOCK_CLOEXEC /* libcurl sets none: children of io.popen would inherit the connections */
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
    int fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (fd >= 0)
        lp->sockets[lp->socket_count++] = fd;
    return fd;
}

static int on_close(void *data, curl_socket_t fd) {
    struct loop *lp = data;
    for (size_t i = 0; i < lp->socket_count; i++) {
        if (lp->sockets[i] == fd) {
            lp->sockets[i] = lp->sockets[--lp->socket_count];
            break;
        }
    }
    shutdown(fd, SHUT_RDWR); /* the server sees the end even where a child process holds a copy */
    return close(fd);
}

CURLcode loop_tie_sockets(struct loop *lp, CURL *easy) {
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, lp);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, lp);
    return rc;
}

/* ---- the multi handle ---- */

static bool multi_open(struct loop *lp) {
    CURLM *multi = lp->closed ? NULL : curl_multi_init();
    if (!multi)
        return false;
    CURLMcode rc = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    if (rc == CURLM_OK)
        rc = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lp);
    if (rc == CURLM_OK)
        rc = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    if (rc == CURLM_OK)
        rc = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lp);
    if (rc == CURLM_OK) /* the default, four for each transfer under way, opens connections over and over */
        rc = curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MOST_CONNECTIONS);
    if (rc != CURLM_OK) {
        curl_multi_cleanup(multi);
        return false;
    }
    lp->multi = multi;
    lp->curl_when = -1;
    return true;
}

static void multi_close(struct loop *lp) {
    if (!lp->multi)
        return;
    for (struct link *l = lp->handles.next; l != &lp->handles; l = l->next) {
        struct handle *f = link_owner(l, struct handle, link);
        if (f->attached)
            curl_multi_remove_handle(lp->multi, f->easy);
        f->attached = false;
    }
    curl_multi_setopt(lp->multi, CURLMOPT_TIMERFUNCTION, NULL);
    curl_multi_setopt(lp->multi, CURLMOPT_SOCKETFUNCTION, NULL);
    curl_multi_cleanup(lp->multi); /* closes the connections through on_close */
    lp->multi = NULL;
    lp->curl_when = -1;
}

static void complete(struct loop *lp, struct handle *f, CURLcode code) {
    f->code = code;
    link_drop(&f->link);
    link_put(&lp->completed, &f->link);
}

/* Adds the easy handle to the multi; a failure completes the handle. */
static void add_to_multi(struct loop *lp, struct handle *f) {
    CURLMcode rc = CURLM_OUT_OF_MEMORY;
    if (lp->multi || multi_open(lp))
        rc = curl_multi_add_handle(lp->multi, f->easy);
    if (rc == CURLM_OK)
        f->attached = true;
    else
        complete(lp, f, CURLE_OUT_OF_MEMORY);
}

/* Sends again all that was attached, on a new multi handle. `abandon`: the old easy handles are not to be touched. */
static void restart_all(struct loop *lp, bool abandon) {
    struct link handles;
    link_init(&handles);
    link_move(&handles, &lp->handles);
    struct link *l;
    while ((l = link_take(&handles)) != NULL) {
        struct handle *f = link_owner(l, struct handle, link);
        link_put(&lp->handles, l);
        f->attached = false;
        CURLcode code = f->restarts <= MOST_RESTARTS ? f->restart(f, abandon) : CURLE_OUT_OF_MEMORY;
        if (code == CURLE_OK)
            add_to_multi(lp, f);
        else
            complete(lp, f, code);
    }
}

/* Replaces the multi handle. Where no transfer is known to be the cause, all are charged: so this ends, too. */
static void rebuild(struct loop *lp) {
    for (struct link *l = lp->handles.next; !lp->charged && l != &lp->handles; l = l->next)
        link_owner(l, struct handle, link)->restarts++;
    lp->broken = lp->charged = false;
    multi_close(lp);
    restart_all(lp, false);
}

void loop_check_fork(struct loop *lp) {
    if (lp->generation == process_generation() || lp->closed)
        return;
    lp->generation = process_generation();
    process_abandon(lp->multi);
    lp->multi = NULL;
    lp->curl_when = -1;
    lp->broken = lp->charged = false;
    poller_abandon(&lp->poller);
    for (size_t i = 0; i < lp->socket_count; i++)
        close(lp->sockets[i]); /* without shutdown: the connection is the parent's */
    lp->socket_count = 0;
    poller_open(&lp->poller); /* without descriptors every handle completes, out of memory */
    restart_all(lp, true);
}

/* ---- handles and turns ---- */

void loop_attach(struct loop *lp, struct handle *f) {
    link_put(&lp->handles, &f->link);
    add_to_multi(lp, f);
    loop_alarm(lp);
}

void loop_detach(struct loop *lp, struct handle *f) {
    loop_check_fork(lp);
    if (f->attached && lp->multi) {
        /* On HTTP/2 no RST_STREAM leaves before the next traffic; this closes the connection where this was the last. */
        curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 1L);
        curl_multi_remove_handle(lp->multi, f->easy);
    }
    f->attached = false;
    link_drop(&f->link);
}

void loop_timer_arm(struct loop *lp, struct timer *t, int64_t when) {
    timer_arm(&lp->timers, t, when);
    loop_alarm(lp);
}

void loop_timer_drop(struct loop *lp, struct timer *t) {
    timer_drop(&lp->timers, t);
}

/* Tells whose time it was since the loop looked last. A long pause after which something is there to read was the
 * reader's, and so is one of a script that polls nothing; in the poll of a host that found nothing it was the servers'. */
static int account_pause(struct loop *lp) {
    int64_t pause = timer_now() - lp->looked;
    if (pause <= PAUSE_COUNTED)
        return 0;
    struct poller_event ready[2]; /* the alarm, which tells nothing of the servers, may take the place of one */
    bool waited = lp->polled && poller_wait(&lp->poller, ready, 2, 0) == 0;
    if (!waited) {
        lp->skipped += pause - PAUSE_COUNTED;
        for (struct link *l = lp->handles.next; l != &lp->handles; l = l->next) {
            struct handle *f = link_owner(l, struct handle, link);
            f->stretch(f);
        }
    }
    return 1;
}

void loop_attempt_arm(struct loop *lp, struct timer *t, int64_t ns) {
    if (!lp->turning && account_pause(lp))
        lp->looked = timer_now(); /* the pause before it is none of its time */
    timer_arm(&lp->attempts, t, timer_now() - lp->skipped + ns);
    loop_alarm(lp);
}

void loop_attempt_drop(struct loop *lp, struct timer *t) {
    timer_drop(&lp->attempts, t);
}

void loop_own(struct loop *lp, struct resource *r) {
    link_put(&lp->resources, &r->link);
}

/* Once a call of it has failed the multi handle is only closed: libcurl 7.88 divides by zero in what was half inserted. */
static void act(struct loop *lp, curl_socket_t fd, int mask) {
    int running;
    if (lp->multi && !lp->broken && curl_multi_socket_action(lp->multi, fd, mask, &running) != CURLM_OK)
        lp->broken = true;
}

/* Out of memory: what libcurl 7.88 says of an over-long header line on HTTP/1 too, where a line has arrived by then and
 * the connection is closed: nothing else is harmed. In all other cases the multi handle is not to be used again. */
static bool harmless(const struct handle *f) {
    long version = 0;
    curl_easy_getinfo(f->easy, CURLINFO_HTTP_VERSION, &version);
    return f->answered && version != CURL_HTTP_VERSION_2_0;
}

/* Takes what libcurl finished out of the multi handle. */
static void collect(struct loop *lp) {
    CURLMsg *message;
    int left;
    while (lp->multi && (message = curl_multi_info_read(lp->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        char *private = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        struct handle *f = (struct handle *)(void *)private;
        if (code == CURLE_OUT_OF_MEMORY && !harmless(f)) {
            lp->broken = lp->charged = true;
            if (!f->answered && ++f->restarts <= MOST_RESTARTS)
                continue; /* it stays among the handles and is sent again */
        }
        curl_multi_remove_handle(lp->multi, easy);
        f->attached = false;
        complete(lp, f, code);
    }
}

static void tell_completed(struct loop *lp) {
    struct link *l;
    while ((l = link_take(&lp->completed)) != NULL) {
        struct handle *f = link_owner(l, struct handle, link);
        f->completed(f);
    }
}

/* libcurl's time; true when something was done. */
static bool run_curl(struct loop *lp, int64_t now) {
    if (lp->curl_when < 0 || lp->curl_when > now)
        return false;
    lp->curl_when = -1;
    act(lp, CURL_SOCKET_TIMEOUT, 0);
    return true;
}

static bool fire_due(struct timers *set, int64_t now) {
    bool worked = false;
    for (struct timer *t; (t = timer_due(set, now)) != NULL; worked = true)
        t->fire(t);
    return worked;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* When the engine itself has something to do: 0: now, -1: never. */
static int64_t due(const struct loop *lp) {
    if (lp->broken || !link_alone(&lp->completed))
        return 0;
    const struct timer *t = lp->timers.root, *attempt = lp->attempts.root;
    return earlier(lp->curl_when, earlier(t ? t->when : -1, attempt ? attempt->when + lp->skipped : -1));
}

/* When there is something to do, for Lua too. */
static int64_t next_due(const struct loop *lp) {
    return !link_alone(&lp->fired) || !link_alone(&lp->notifiers) || lp->tasks ? 0 : due(lp);
}

static int64_t until(int64_t when) {
    if (when < 0)
        return -1;
    int64_t ns = when ? when - timer_now() : 0;
    return ns > 0 ? ns : 0;
}

int64_t loop_next(struct loop *lp) {
    return until(next_due(lp));
}

/* Hands ready sockets to libcurl, waiting at most `ns` for one; returns how many there were. */
static int take_events(struct loop *lp, int64_t ns) {
    struct poller_event events[MOST_EVENTS];
    int n = poller_wait(&lp->poller, events, MOST_EVENTS, ns);
    for (int i = 0; i < n; i++) {
        int flags = events[i].flags, mask = 0;
        mask |= flags & POLLER_READ ? CURL_CSELECT_IN : 0;
        mask |= flags & POLLER_WRITE ? CURL_CSELECT_OUT : 0;
        mask |= flags & POLLER_ERROR ? CURL_CSELECT_ERR : 0;
        act(lp, events[i].fd, mask);
    }
    return n;
}

/* Deadlines of attempts, once all that has arrived is taken in. */
static bool fire_attempts(struct loop *lp, bool *drained) {
    const struct timer *t = lp->attempts.root;
    if (!t || t->when > timer_now() - lp->skipped)
        return false;
    if (!*drained) {
        for (int i = 0; i < MOST_READS && take_events(lp, 0) > 0; i++)
            continue;
        *drained = true;
        return true;
    }
    return fire_due(&lp->attempts, timer_now() - lp->skipped);
}

void loop_drive(struct loop *lp, int64_t ns) {
    loop_check_fork(lp);
    lp->turning = true;
    bool drained = false, paused = account_pause(lp);
    int64_t left = until(due(lp));
    take_events(lp, paused ? 0 : left >= 0 && left < ns ? left : ns);
    /* What completes may start other handles, which libcurl wants to push off at once: a few rounds, so that they are on
     * the wire when this returns; not for ever, so that a turn ends. */
    for (int round = 0; round < MOST_ROUNDS; round++) {
        bool worked = run_curl(lp, timer_now());
        collect(lp);
        if (lp->broken)
            rebuild(lp);
        worked |= !link_alone(&lp->completed);
        tell_completed(lp);
        worked |= fire_due(&lp->timers, timer_now());
        worked |= fire_attempts(lp, &drained);
        if (!worked)
            break;
    }
    lp->looked = timer_now();
    lp->turning = false;
}

void loop_turn(struct loop *lp, int64_t ns) {
    loop_drive(lp, ns);
    loop_alarm(lp);
}

static bool quiet(const struct loop *lp) {
    return link_alone(&lp->handles) && link_alone(&lp->completed) && !lp->timers.root && !lp->attempts.root &&
           link_alone(&lp->fired) && link_alone(&lp->notifiers);
}

bool loop_busy(const struct loop *lp) {
    return lp->tasks || !quiet(lp);
}

bool loop_stuck(const struct loop *lp) {
    return lp->tasks && quiet(lp);
}

void loop_alarm(struct loop *lp) {
    if (lp->polled && !lp->turning && !lp->closed)
        poller_alarm(&lp->poller, next_due(lp));
}

/* ---- the state's own ---- */

static const char loop_key = 0;
/* Idempotent: the body of __gc. */
static int loop_close(lua_State *L) {
    struct loop *lp = lua_touserdata(L, 1);
    if (lp->closed)
        return 0;
    loop_check_fork(lp);
    lp->closed = true;
    struct link *l;
    while ((l = link_take(&lp->resources)) != NULL) {
        struct resource *r = link_owner(l, struct resource, link);
        r->release(r);
    }
    multi_close(lp);
    while (link_take(&lp->handles) || link_take(&lp->completed) || link_take(&lp->fired) || link_take(&lp->notifiers))
        continue;
    while (lp->timers.root)
        timer_drop(&lp->timers, lp->timers.root);
    while (lp->attempts.root)
        timer_drop(&lp->attempts, lp->attempts.root);
    poller_close(&lp->poller);
    free(lp->sockets);
    lp->sockets = NULL;
    return 0;
}

void loop_check_open(lua_State *L, const struct loop *lp) {
    if (lp->closed)
        error_throw(L, "closed", "the Lua state is being closed");
}

struct loop *loop_of(lua_State *L) {
    struct loop *lp;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &loop_key) == LUA_TUSERDATA) {
        lp = lua_touserdata(L, -1);
        lua_pop(L, 1);
        loop_check_fork(lp);
        return lp;
    }
    lua_pop(L, 1);
    process_check_curl(L);
    lp = lua_newuserdatauv(L, sizeof *lp, 0);
    *lp = (struct loop){
        .poller = {-1, -1, -1}, .curl_when = -1, .generation = process_generation(), .looked = timer_now()};
    link_init(&lp->handles);
    link_init(&lp->completed);
    link_init(&lp->fired);
    link_init(&lp->notifiers);
    link_init(&lp->resources);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, loop_close);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    if (!poller_open(&lp->poller))
        luaL_error(L, "calira: no descriptor for the engine: %s", strerror(errno));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loop_key);
    return lp;
}
