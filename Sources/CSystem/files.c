#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef __APPLE__
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#define FICLONE_REQUEST 0x40049409  // FICLONE of linux/fs.h, which musl's headers do not bring

// The used part of struct statx of linux/stat.h; nor that.
struct attributes {
    uint32_t known, block;
    uint64_t attributes, others[5], mask, more[10], mount, rest[13];
};
#define WANTED_MOUNT 0x1000
#define ATTRIBUTE_IMMUTABLE 0x10
#define ATTRIBUTE_APPEND 0x20
#define ATTRIBUTE_MOUNT_ROOT 0x2000
#else
#define O_PATH O_SEARCH
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

int csys_lstat_at(int directory, const char *name, csys_stat *out) {
    struct stat st;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    fill(out, &st);
    return 0;
}

int csys_lstat(const char *path, csys_stat *out) { return csys_lstat_at(AT_FDCWD, path, out); }

int csys_fstat(int fd, csys_stat *out) {
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    fill(out, &st);
    return 0;
}

static int opened(int fd) { return fd < 0 ? -errno : fd; }

int csys_open_read_at(int directory, const char *name) {
    // O_NONBLOCK: somebody may have put a FIFO where a file is expected.
    return opened(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

int csys_create_new_at(int directory, const char *name, uint32_t mode) {
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) return -errno;
    if (fchmod(fd, (mode_t)mode) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int csys_open_append_at(int directory, const char *name, uint32_t mode) {
    return opened(openat(directory, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode));
}

int csys_open_read(const char *path) { return csys_open_read_at(AT_FDCWD, path); }
int csys_open_directory(const char *path) { return opened(open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY)); }
int csys_create_new(const char *path, uint32_t mode) { return csys_create_new_at(AT_FDCWD, path, mode); }
int csys_open_append(const char *path, uint32_t mode) { return csys_open_append_at(AT_FDCWD, path, mode); }
int csys_reopen_directory(int directory) { return opened(openat(directory, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY)); }

// Whether the directory may have an access control list. With one, the group bits are the upper limit for all its entries.
static bool has_list(int directory) {
    int fd = openat(directory, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    bool has = fd < 0 || csys_fgetxattr(fd, "system.posix_acl_access", NULL, 0) > 0;
    if (fd >= 0) close(fd);
    return has;
}

// Whether only root and this process's own user can change the directory's entries.
static bool is_private(int directory, const struct stat *st) {
    if ((st->st_uid != 0 && st->st_uid != geteuid()) || st->st_mode & S_IWOTH) return false;
    return !(st->st_mode & S_IWGRP) || ((st->st_gid == 0 || st->st_gid == getegid()) && !has_list(directory));
}

int csys_walk(const char *root, const char *path, bool *is_ours) {
    char rest[2 * PATH_MAX], target[PATH_MAX];
    size_t length = strlen(path);
    if (length >= PATH_MAX) return -ENAMETOOLONG;
    memcpy(rest, path, length + 1);
    int start = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), here = start, links = 40, result = 0;
    if (start < 0) return -errno;
    struct stat first, st;
    if (fstat(start, &first) < 0) result = -errno;
    bool ours = is_private(start, &first);
    uid_t owner = 0;  // of the first directory that belongs to a user
    char *next = rest;
    while (!result) {
        next += strspn(next, "/");
        if (!*next) break;
        char *name = next;
        next += strcspn(name, "/");
        if (*next) *next++ = 0;
        int fd = openat(here, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            result = -errno;
            if (errno != ENOTDIR && errno != ELOOP) break;
            ssize_t count = readlinkat(here, name, target, sizeof target - 1);
            if (count < 0) break;
            result = !ours ? -EXDEV : !links-- ? -ELOOP : count + strlen(next) + 2 > sizeof rest ? -ENAMETOOLONG : 0;
            if (result) break;
            // The rest of the path goes behind the target; both may lie in the same memory.
            length = strlen(next);
            memmove(rest + count + 1, next, length + 1);
            memcpy(rest, target, (size_t)count);
            rest[count] = '/';
            next = rest;
            if (*rest != '/') continue;
            if (here != start) close(here);
            here = start;
            ours = is_private(start, &first);
            continue;
        }
        if (fstat(fd, &st) < 0) result = -errno;
        bool is_above_root = !strcmp(name, "..") && here == start;
        if (!is_above_root && !result && st.st_uid != 0 && st.st_uid != geteuid()) {
            if (!owner) owner = st.st_uid;
            if (st.st_uid != owner) result = -EXDEV;
        }
        if (result || is_above_root) {
            close(fd);
            continue;
        }
        ours = ours && is_private(fd, &st);
        if (here != start) close(here);
        here = fd;
        // `..` may lead back to the root.
        if (st.st_dev == first.st_dev && st.st_ino == first.st_ino) {
            close(here);
            here = start;
        }
    }
    if (result) {
        if (here != start) close(here);
        close(start);
        return result;
    }
    if (here != start) close(start);
    *is_ours = ours;
    return here;
}

int csys_hindrance(int directory, const char *name) {
    if (faccessat(directory, ".", W_OK, 0) < 0) return errno;
#ifndef __APPLE__
    const char *names[] = {".", name};
    for (int i = 0; i < 2; i++) {
        struct attributes of;
        if (syscall(SYS_statx, directory, names[i], AT_SYMLINK_NOFOLLOW, 0, &of) < 0) continue;
        if (of.attributes & (ATTRIBUTE_IMMUTABLE | ATTRIBUTE_APPEND)) return EPERM;
        // Linux before 5.8 does not report this; a bind mount is not noticed there.
        if (i && of.attributes & of.mask & ATTRIBUTE_MOUNT_ROOT) return EBUSY;
    }
#else
    (void)name;
#endif
    return 0;
}

uint64_t csys_mount_id(const char *path) {
#ifndef __APPLE__
    struct attributes of;
    if (!syscall(SYS_statx, AT_FDCWD, path, 0, WANTED_MOUNT, &of) && of.known & WANTED_MOUNT) return of.mount;
#else
    (void)path;
#endif
    return 0;
}

int csys_open_target(const char *root, const char *path) {
    char text[2 * PATH_MAX], target[PATH_MAX];
    if (strlen(path) >= PATH_MAX) return -ENAMETOOLONG;
    strcpy(text, path);
    for (int links = 8; links--;) {
        char *name = strrchr(text, '/');
        if (!name) return -EXDEV;
        *name++ = 0;
        bool ours;
        int here = csys_walk(root, text, &ours);
        if (here < 0) return here;
        struct stat st;
        int result = fstatat(here, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : -EXDEV;
        ssize_t count = -1;
        if (result == -EXDEV && S_ISREG(st.st_mode)) result = csys_open_read_at(here, name);
        else if (result == -EXDEV && ours && S_ISLNK(st.st_mode)) count = readlinkat(here, name, target, sizeof target - 1);
        close(here);
        if (count < 0) return result;
        target[count] = 0;
        if (*target == '/') *text = 0; else strcat(text, "/");
        if (strlen(text) + (size_t)count >= PATH_MAX) return -ENAMETOOLONG;
        strcat(text, target);
    }
    return -ELOOP;
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

int csys_room(const char *path, uint64_t *bytes, uint64_t *inodes) {
    struct statvfs disk;
    if (statvfs(path, &disk) < 0) return -errno;
    // A file system without a size, such as ramfs, has no known room.
    if (!disk.f_blocks) return -ENOSYS;
    *bytes = (uint64_t)disk.f_bfree * disk.f_frsize;
    *inodes = disk.f_files ? (uint64_t)disk.f_ffree : UINT64_MAX;
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

bool csys_is_open_for_writing(int fd) {
#ifdef F_SETLEASE
    // Nobody gets a read lease on such a file. If a writer comes meanwhile, its signal must not end the program.
    if (fcntl(fd, F_SETSIG, SIGURG) < 0) return false;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) return errno == EAGAIN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
#else
    (void)fd;
#endif
    return false;
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

int csys_rename_at(int from, const char *name, int to, const char *new_name, csys_renaming how) {
#ifndef __APPLE__
    // musl has no function for it.
    if (how != csys_rename_over) return RESULT(syscall(SYS_renameat2, from, name, to, new_name, (unsigned)how));
#else
    if (how != csys_rename_over)
        return RESULT(renameatx_np(from, name, to, new_name, how == csys_rename_exchange ? RENAME_SWAP : RENAME_EXCL));
#endif
    return RESULT(renameat(from, name, to, new_name));
}

int csys_link_at(int from, const char *name, int to, const char *new_name) { return RESULT(linkat(from, name, to, new_name, 0)); }
int csys_symlink_at(const char *target, int directory, const char *name) { return RESULT(symlinkat(target, directory, name)); }

int64_t csys_readlink_at(int directory, const char *name, void *buffer, size_t size) {
    ssize_t n = readlinkat(directory, name, buffer, size);
    return n < 0 ? -errno : n;
}

int csys_unlink_at(int directory, const char *name) { return RESULT(unlinkat(directory, name, 0)); }
int csys_rmdir_at(int directory, const char *name) { return RESULT(unlinkat(directory, name, AT_REMOVEDIR)); }
int csys_unlink(const char *path) { return csys_unlink_at(AT_FDCWD, path); }
int csys_rmdir(const char *path) { return csys_rmdir_at(AT_FDCWD, path); }

int csys_mkdir_at(int directory, const char *name, uint32_t mode) {
    if (mkdirat(directory, name, (mode_t)mode) < 0) return -errno;
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    int result = RESULT(fchmod(fd, (mode_t)mode));
    close(fd);
    return result;
}

int csys_mkdir(const char *path, uint32_t mode) { return csys_mkdir_at(AT_FDCWD, path, mode); }

int csys_mkdir_as(int directory, const char *name, uint32_t mode, uint32_t uid, uint32_t gid) {
#ifndef __APPLE__
    // Of this thread alone, and with it the rights to override permissions.
    int group = setfsgid(gid), user = setfsuid(uid);
    int result = RESULT(mkdirat(directory, name, (mode_t)mode));
    setfsuid((uid_t)user);
    setfsgid((gid_t)group);
    // The kernel has allowed core dumps again.
    csys_hide_memory();
    return result;
#else
    (void)uid, (void)gid;
    return RESULT(mkdirat(directory, name, (mode_t)mode));
#endif
}

void csys_random(void *buffer, size_t count) {
#ifndef __APPLE__
    // Without it, as before Linux 3.17, whatever is in the memory has to do.
    syscall(SYS_getrandom, buffer, count, 0);
#else
    arc4random_buf(buffer, count);
#endif
}

int csys_fchmod(int fd, uint32_t mode) { return RESULT(fchmod(fd, (mode_t)mode)); }
int csys_fchown(int fd, uint32_t uid, uint32_t gid) { return RESULT(fchown(fd, uid, gid)); }

int csys_fset_mtime(int fd, int64_t mtime_ns) {
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000},
    };
    return RESULT(futimens(fd, times));
}

int csys_symlink(const char *target, const char *path) { return csys_symlink_at(target, AT_FDCWD, path); }

int csys_set_mtime(const char *path, int64_t mtime_ns) {
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000},
    };
    return RESULT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

#ifndef __APPLE__
#define XATTR_OPTIONS
#define XATTR_POSITION
#else
#define XATTR_OPTIONS , 0
#define XATTR_POSITION , 0, 0
#endif

int64_t csys_flistxattr(int fd, void *buffer, size_t size) {
    ssize_t n = flistxattr(fd, buffer, size XATTR_OPTIONS);
    return n >= 0 ? n : errno == ENOTSUP ? 0 : -errno;
}

int64_t csys_fgetxattr(int fd, const char *name, void *buffer, size_t size) {
    ssize_t n = fgetxattr(fd, name, buffer, size XATTR_POSITION);
    return n < 0 ? -errno : n;
}

int64_t csys_getxattr(const char *path, const char *name, void *buffer, size_t size) {
#ifndef __APPLE__
    ssize_t n = lgetxattr(path, name, buffer, size);
#else
    ssize_t n = getxattr(path, name, buffer, size, 0, XATTR_NOFOLLOW);
#endif
    return n < 0 ? -errno : n;
}

int csys_fsetxattr(int fd, const char *name, const void *value, size_t size) {
#ifndef __APPLE__
    return RESULT(fsetxattr(fd, name, value, size, 0));
#else
    return RESULT(fsetxattr(fd, name, value, size, 0, 0));
#endif
}

struct csys_directory {
    DIR *stream;
};

int csys_opendir_fd(int fd, csys_directory **out) {
    csys_directory *directory = malloc(sizeof *directory);
    if (directory && (directory->stream = fdopendir(fd))) {
        *out = directory;
        return 0;
    }
    int error = directory ? errno : ENOMEM;
    free(directory);
    close(fd);
    return -error;
}

int csys_opendir(const char *path, csys_directory **out) {
    int fd = csys_open_directory(path);
    return fd < 0 ? fd : csys_opendir_fd(fd, out);
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

int csys_remove_tree_at(int directory, const char *name) { return remove_at(directory, name); }
int csys_remove_tree(const char *path) { return remove_at(AT_FDCWD, path); }

#ifndef __APPLE__
int csys_is_memory(int directory) {
    struct statfs status;
    if (fstatfs(directory, &status) < 0) return -errno;
    return (unsigned)status.f_type == 0x01021994 || (unsigned)status.f_type == 0x858458f6;
}

int csys_is_ramfs(int directory) {
    struct statfs status;
    if (fstatfs(directory, &status) < 0) return -errno;
    return (unsigned)status.f_type == 0x858458f6;
}

int csys_mount_ramfs(const char *path) {
    return mount("ramfs", path, "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711") < 0 ? -errno : 0;
}

int csys_unmount(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0; }
#else
int csys_is_ramfs(int directory) { (void)directory; return 0; }
int csys_is_memory(int directory) { (void)directory; return 0; }
int csys_mount_ramfs(const char *path) { (void)path; return -ENOSYS; }
int csys_unmount(const char *path) { (void)path; return -ENOSYS; }
#endif
