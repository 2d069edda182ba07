#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "calira.lock"

enum { MOST_LINKS = 40 };
enum { ROOM = 16 * 1024 }; /* bytes that a grant may need, with what the server may add to it */

static const char locks_key; /* registry: weak table of the locks of this state, by themselves */

/* A lock of this process. A child that is forked while it is held has the same open file: it must neither take it for its
 * own nor let go of it, so the lock remembers whose it is. */
struct lock {
    int fd; /* -1: released */
    pid_t owner;
};

/* The names that a file is written by. They lie in one userdata, so that nothing is held across a Lua call. */
struct names {
    char path[PATH_MAX];   /* the file */
    char beside[PATH_MAX]; /* a new file in the same folder */
    char copy[PATH_MAX];   /* what is kept beside a file that cannot be replaced */
};

/* ---- names ---- */

/* Replaces a path that is a symbolic link by what it points to, which need not be there. False, setting errno: no path. */
static bool follow(char path[PATH_MAX]) {
    char target[PATH_MAX];
    for (int i = 0; i < MOST_LINKS; i++) {
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size < 0)
            return true; /* no link, or not there */
        target[size] = '\0';
        char *slash = strrchr(path, '/');
        size_t folder = target[0] == '/' || !slash ? 0 : (size_t)(slash - path) + 1;
        if (folder + (size_t)size >= PATH_MAX)
            break;
        memcpy(path + folder, target, (size_t)size + 1);
    }
    errno = ELOOP;
    return false;
}

static struct names *new_names(lua_State *L, const char *path) {
    struct names *n = lua_newuserdatauv(L, sizeof *n, 0);
    int size = snprintf(n->path, sizeof n->path, "%s", path);
    if (size < 0 || (size_t)size + sizeof ".XXXXXX" > sizeof n->path)
        luaL_error(L, "the path of a file is too long");
    snprintf(n->beside, sizeof n->beside, "%s.XXXXXX", path);
    snprintf(n->copy, sizeof n->copy, "%s.copy", path);
    return n;
}

/* core.follow_link(path): the path itself or, where it is a symbolic link, what that points to; nil and a message. */
static int f_follow_link(lua_State *L) {
    struct names *n = new_names(L, luaL_checkstring(L, 1));
    if (follow(n->path)) {
        lua_pushstring(L, n->path);
        return 1;
    }
    int code = errno;
    lua_pushnil(L);
    lua_pushstring(L, strerror(code));
    return 2;
}

/* Makes the folders that `path` (changed and put back) lies in. What cannot be made shows when the file is opened. */
static void make_folders(char *path) {
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

/* ---- writing ---- */

static bool write_all(int fd, const char *text, size_t size) {
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Closes the descriptor, if it is one, and keeps errno. */
static void close_quietly(int fd) {
    int code = errno;
    if (fd >= 0)
        close(fd);
    errno = code;
}

/* Writes a new file beside (n->beside becomes its name) with mode 0600. False, setting errno: it could not, and there is
 * none. */
static bool write_beside(struct names *n, const char *text, size_t size) {
    make_folders(n->beside);
    int fd = mkostemp(n->beside, O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fchmod(fd, 0600) == 0 && write_all(fd, text, size);
    close_quietly(fd);
    if (!ok) {
        int code = errno;
        unlink(n->beside);
        errno = code;
    }
    return ok;
}

/* A rename is kept once the folder is written; some file systems cannot say so. */
static void keep_folder(char *path) {
    char *slash = strrchr(path, '/');
    char after = '\0';
    if (slash) {
        after = slash[1];
        slash[1] = '\0';
    }
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash)
        slash[1] = after;
    if (fd >= 0)
        fsync(fd);
    close_quietly(fd);
}

/* For a file that cannot be replaced: the new one becomes the copy beside, then the old one's content is overwritten. Should
 * that be cut short, the copy is there. */
static bool write_in_place(struct names *n, const char *text, size_t size) {
    if (rename(n->beside, n->copy) != 0)
        return false;
    keep_folder(n->copy);
    int fd = open(n->path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, text, size) && ftruncate(fd, (off_t)size) == 0 && fsync(fd) == 0;
    close_quietly(fd);
    return ok;
}

static bool replace(struct names *n, const char *text, size_t size) {
    if (!write_beside(n, text, size))
        return false;
    if (rename(n->beside, n->path) == 0) {
        keep_folder(n->path);
        unlink(n->copy); /* of a time when the file could not be replaced */
        return true;
    }
    if (errno == EBUSY && write_in_place(n, text, size))
        return true;
    int code = errno;
    unlink(n->beside);
    errno = code;
    return false;
}

/* Pushes true, or nil and the message of errno. */
static int push_outcome(lua_State *L, bool ok, int code) {
    if (ok) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, strerror(code));
    return 2;
}

/* core.write_private(path, text): replaces the file's content; true, or nil and a message. A crash at any moment leaves the
 * old file or the new one; where the file is a mount point, the new content also in `path.copy`. The path is no link. */
static int f_write_private(lua_State *L) {
    size_t size;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &size);
    struct names *n = new_names(L, path);
    bool ok = replace(n, text, size);
    return push_outcome(L, ok, errno);
}

/* Whether something is mounted on the path, so that no other file can take its place. */
static bool is_mount_point(const char *path) {
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx about;
    return statx(AT_FDCWD, path, 0, STATX_TYPE, &about) == 0 && (about.stx_attributes & STATX_ATTR_MOUNT_ROOT);
#else
    (void)path;
    return false;
#endif
}

/* core.check_private(path): whether write_private could write it; true, or nil and a message. A file beside is written and
 * removed; the file itself stays as it is. */
static int f_check_private(lua_State *L) {
    struct names *n = new_names(L, luaL_checkstring(L, 1));
    char *room = lua_newuserdatauv(L, ROOM, 0);
    memset(room, ' ', ROOM);
    bool ok = write_beside(n, room, ROOM);
    if (ok) {
        unlink(n->beside);
        ok = !is_mount_point(n->path) || access(n->path, W_OK) == 0;
    }
    return push_outcome(L, ok, errno);
}

/* core.modified(path): when the file was written last, in nanoseconds since 1970; nil where there is none. */
static int f_modified(lua_State *L) {
    struct stat about;
    if (stat(luaL_checkstring(L, 1), &about) != 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec);
    return 1;
}

/* core.file_type(path): "regular", "directory" or "other" (a device, a FIFO, a socket) of what the path, or the link there,
 * leads to; nil where there is nothing. */
static int f_file_type(lua_State *L) {
    struct stat about;
    if (stat(luaL_checkstring(L, 1), &about) != 0)
        return 0;
    lua_pushstring(L, S_ISREG(about.st_mode) ? "regular" : S_ISDIR(about.st_mode) ? "directory" : "other");
    return 1;
}

/* core.copy_mode(from, to): gives a file the mode of another and, as far as this user may, its owner and group. Where there is
 * no other it does nothing. True, or nil and a message. */
static int f_copy_mode(lua_State *L) {
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    struct stat about;
    if (stat(from, &about) != 0)
        return push_outcome(L, true, 0);
    bool same_group = chown(to, about.st_uid, about.st_gid) == 0 || chown(to, (uid_t)-1, about.st_gid) == 0;
    if (!same_group)
        about.st_mode &= ~(mode_t)S_IRWXG; /* another group gets nothing by it */
    bool ok = chmod(to, about.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)) == 0;
    return push_outcome(L, ok, errno);
}

/* ---- locks ---- */

/* Releases the lock, unless it is the parent's of a forked child, which only closes the descriptor. Idempotent. */
static void release(struct lock *lock) {
    if (lock->fd < 0)
        return;
    if (lock->owner == getpid())
        flock(lock->fd, LOCK_UN); /* also where a child holds the same open file */
    close(lock->fd);
    lock->fd = -1;
}

/* In a forked child: closes what it has of its parent's locks, which would last as long as the child does. */
static void drop_inherited(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &locks_key);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct lock *lock = lua_touserdata(L, -2);
        if (lock->owner != getpid())
            release(lock);
    }
    lua_pop(L, 1);
}

/* core.sync(file): writes what a file of Lua's io library buffers and has the system put it on the disk; true, or nil and a
 * message. What has no disk under it (a pipe, a terminal) counts as written. Blocks as long as the disk takes; borrows the
 * file, which stays its owner's. Raises for anything that is no open file. */
static int f_sync(lua_State *L) {
    luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
    luaL_argcheck(L, stream->closef != NULL, 1, "attempt to use a closed file");
    int fd = fileno(stream->f);
    if (fflush(stream->f) == 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    int saved = errno;
    lua_pushnil(L);
    lua_pushstring(L, strerror(saved));
    return 2;
}

/* core.try_lock(path): a lock, released when it is closed or collected; false where another holds it, nil and a message where
 * there can be none. Does not wait. */
static int f_try_lock(lua_State *L) {
    struct names *n = new_names(L, luaL_checkstring(L, 1));
    drop_inherited(L);
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = (struct lock){.fd = -1, .owner = getpid()};
    luaL_setmetatable(L, LOCK);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &locks_key);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    make_folders(n->path);
    lock->fd = open(n->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock->fd < 0)
        return push_outcome(L, false, errno);
    if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0)
        return 1;
    int code = errno;
    close(lock->fd);
    lock->fd = -1;
    if (code != EWOULDBLOCK)
        return push_outcome(L, false, code);
    lua_pushboolean(L, 0);
    return 1;
}

static int lock_close(lua_State *L) {
    release(luaL_checkudata(L, 1, LOCK));
    return 0;
}

/* core.process_id(): the number of this process, which a fork changes. */
static int f_process_id(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

void files_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"follow_link", f_follow_link},
        {"write_private", f_write_private},
        {"check_private", f_check_private},
        {"modified", f_modified},
        {"file_type", f_file_type},
        {"copy_mode", f_copy_mode},
        {"sync", f_sync},
        {"try_lock", f_try_lock},
        {"process_id", f_process_id},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &locks_key);
    luaL_newmetatable(L, LOCK);
    lua_pushcfunction(L, lock_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, lock_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}
