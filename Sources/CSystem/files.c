#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef __APPLE__
#include <sys/ioctl.h>
#define FICLONE_REQUEST 0x40049409  // FICLONE of linux/fs.h, which musl's headers do not bring
#endif

#define RESULT(call) ((call) < 0 ? -errno : 0)

static void fill(csys_stat *out, const struct stat *st) {
    out->kind = S_ISREG(st->st_mode)   ? csys_kind_regular
                : S_ISDIR(st->st_mode) ? csys_kind_directory
                : S_ISLNK(st->st_mode) ? csys_kind_symlink
                                       : csys_kind_other;
    out->mode = st->st_mode & 07777;
    out->uid = st->st_uid;
    out->gid = st->st_gid;
    out->size = (uint64_t)st->st_size;
    out->inode = (uint64_t)st->st_ino;
    out->device = (uint64_t)st->st_dev;
#ifdef __APPLE__
    out->mtime_ns = (int64_t)st->st_mtimespec.tv_sec * 1000000000 + st->st_mtimespec.tv_nsec;
    out->ctime_ns = (int64_t)st->st_ctimespec.tv_sec * 1000000000 + st->st_ctimespec.tv_nsec;
#else
    out->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    out->ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
#endif
}

int csys_lstat(const char *path, csys_stat *out) {
    struct stat st;
    if (lstat(path, &st) < 0) return -errno;
    fill(out, &st);
    return 0;
}

int csys_fstat(int fd, csys_stat *out) {
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    fill(out, &st);
    return 0;
}

static int opened(int fd) { return fd < 0 ? -errno : fd; }

int csys_open_read(const char *path) {
    // O_NONBLOCK: somebody may have put a FIFO where a file is expected.
    return opened(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

int csys_open_directory(const char *path) { return opened(open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY)); }

int csys_create_new(const char *path, uint32_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) return -errno;
    if (fchmod(fd, (mode_t)mode) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int csys_open_append(const char *path, uint32_t mode) {
    return opened(open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode));
}

int csys_close(int fd) { return RESULT(close(fd)); }

int64_t csys_read(int fd, void *buffer, size_t count) {
    for (;;) {
        ssize_t n = read(fd, buffer, count);
        if (n >= 0) return n;
        if (errno != EINTR) return -errno;
    }
}

int64_t csys_write(int fd, const void *buffer, size_t count) {
    for (;;) {
        ssize_t n = write(fd, buffer, count);
        if (n >= 0) return n;
        if (errno != EINTR) return -errno;
    }
}

int csys_truncate(int fd, uint64_t size) { return RESULT(ftruncate(fd, (off_t)size)); }
int csys_seek(int fd, uint64_t offset) { return RESULT(lseek(fd, (off_t)offset, SEEK_SET)); }

int csys_fsync(int fd) {
#ifdef F_FULLFSYNC
    return RESULT(fcntl(fd, F_FULLFSYNC));
#else
    // EINVAL: there is nothing durable about that file system, such as /proc.
    int result = RESULT(fsync(fd));
    return result == -EINVAL ? 0 : result;
#endif
}

int csys_disk(const char *path, uint64_t *size, uint64_t *available) {
    struct statvfs disk;
    if (statvfs(path, &disk) < 0) return -errno;
    *size = (uint64_t)disk.f_blocks * disk.f_frsize;
    *available = (uint64_t)disk.f_bavail * disk.f_frsize;
    return 0;
}

int csys_syncfs(int fd) {
#ifndef __APPLE__
    return RESULT(syncfs(fd));
#else
    (void)fd;
    sync();
    return 0;
#endif
}

void csys_start_writeback(int fd) {
#ifdef SYNC_FILE_RANGE_WRITE
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd;
#endif
}

int csys_clone(int to, int from) {
#ifndef __APPLE__
    return RESULT(ioctl(to, FICLONE_REQUEST, from));
#else
    (void)to, (void)from;
    return -ENOTSUP;
#endif
}

int csys_try_lock(int fd) { return RESULT(flock(fd, LOCK_EX | LOCK_NB)); }

int csys_rename(const char *from, const char *to) { return RESULT(rename(from, to)); }
int csys_symlink(const char *target, const char *path) { return RESULT(symlink(target, path)); }

int64_t csys_readlink(const char *path, char *buffer, size_t size) {
    ssize_t n = readlink(path, buffer, size);
    return n < 0 ? -errno : n;
}

int csys_unlink(const char *path) { return RESULT(unlink(path)); }
int csys_rmdir(const char *path) { return RESULT(rmdir(path)); }

int csys_mkdir(const char *path, uint32_t mode) {
    if (mkdir(path, (mode_t)mode) < 0) return -errno;
    return RESULT(chmod(path, (mode_t)mode));
}

int csys_chmod(const char *path, uint32_t mode) { return RESULT(chmod(path, (mode_t)mode)); }
int csys_lchown(const char *path, uint32_t uid, uint32_t gid) { return RESULT(lchown(path, uid, gid)); }

int csys_set_mtime(const char *path, int64_t mtime_ns) {
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000},
    };
    return RESULT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

#ifndef __APPLE__
int64_t csys_listxattr(const char *path, char *buffer, size_t size) {
    ssize_t n = llistxattr(path, buffer, size);
    return n >= 0 ? n : errno == ENOTSUP ? 0 : -errno;
}

int64_t csys_getxattr(const char *path, const char *name, void *buffer, size_t size) {
    ssize_t n = lgetxattr(path, name, buffer, size);
    return n < 0 ? -errno : n;
}

int csys_setxattr(const char *path, const char *name, const void *value, size_t size) {
    return RESULT(lsetxattr(path, name, value, size, 0));
}
#else
int64_t csys_listxattr(const char *path, char *buffer, size_t size) {
    ssize_t n = listxattr(path, buffer, size, XATTR_NOFOLLOW);
    return n >= 0 ? n : errno == ENOTSUP ? 0 : -errno;
}

int64_t csys_getxattr(const char *path, const char *name, void *buffer, size_t size) {
    ssize_t n = getxattr(path, name, buffer, size, 0, XATTR_NOFOLLOW);
    return n < 0 ? -errno : n;
}

int csys_setxattr(const char *path, const char *name, const void *value, size_t size) {
    return RESULT(setxattr(path, name, value, size, 0, XATTR_NOFOLLOW));
}
#endif

struct csys_directory {
    DIR *stream;
};

int csys_opendir(const char *path, csys_directory **out) {
    csys_directory *directory = malloc(sizeof *directory);
    if (!directory) return -ENOMEM;
    directory->stream = opendir(path);
    if (!directory->stream) {
        int error = errno;
        free(directory);
        return -error;
    }
    *out = directory;
    return 0;
}

int csys_readdir(csys_directory *directory, const char **name, csys_kind *kind) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory->stream);
        if (!entry) return errno ? -errno : 0;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        *name = entry->d_name;
        *kind = entry->d_type == DT_REG   ? csys_kind_regular
                : entry->d_type == DT_DIR ? csys_kind_directory
                : entry->d_type == DT_LNK ? csys_kind_symlink
                                          : csys_kind_other;
        return 1;
    }
}

void csys_closedir(csys_directory *directory) {
    closedir(directory->stream);
    free(directory);
}

static int remove_at(int parent, const char *name) {
    if (unlinkat(parent, name, 0) == 0) return 0;
    if (errno != EISDIR && errno != EPERM) return -errno;
    int fd = openat(parent, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    int result = stream ? 0 : -ENOMEM;
    for (struct dirent *entry; !result && (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) result = remove_at(fd, entry->d_name);
    if (stream) closedir(stream); else close(fd);
    return result ? result : RESULT(unlinkat(parent, name, AT_REMOVEDIR));
}

int csys_remove_tree(const char *path) { return remove_at(AT_FDCWD, path); }
