#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "calira.lock"

struct lock {
    int fd; /* -1: released */
};

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

/* core.write_private(path, text): replaces the file's content; true, or nil and a message. A crash at any moment leaves the
 * old file or the new one. */
static int f_write_private(lua_State *L) {
    size_t size;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &size);
    lua_pushfstring(L, "%s.%d.new", path, (int)getpid());
    size_t room = lua_rawlen(L, -1) + 1;
    char *beside = lua_newuserdatauv(L, room, 0);
    memcpy(beside, lua_tostring(L, -2), room);
    make_folders(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, text, size);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (ok && rename(beside, path) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    saved = ok ? errno : saved;
    if (fd >= 0)
        unlink(beside);
    lua_pushnil(L);
    lua_pushstring(L, strerror(saved));
    return 2;
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
    const char *path = luaL_checkstring(L, 1);
    size_t room = strlen(path) + 1;
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    lock->fd = -1;
    luaL_setmetatable(L, LOCK);
    char *copy = lua_newuserdatauv(L, room, 0);
    memcpy(copy, path, room);
    make_folders(copy);
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock->fd < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(errno));
        return 2;
    }
    if (flock(lock->fd, LOCK_EX | LOCK_NB) != 0) {
        close(lock->fd);
        lock->fd = -1;
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_pop(L, 1);
    return 1;
}

static int lock_close(lua_State *L) {
    struct lock *lock = luaL_checkudata(L, 1, LOCK);
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
    return 0;
}

void files_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"write_private", f_write_private}, {"sync", f_sync}, {"try_lock", f_try_lock}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, LOCK);
    lua_pushcfunction(L, lock_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, lock_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}
