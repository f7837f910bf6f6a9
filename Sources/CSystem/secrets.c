#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

void csys_hide_memory(void) {
#ifndef DEPTOOL_EMBEDDED
    // An agent's limit would be that of the programs that it runs.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#endif
#ifdef __linux__
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

#ifndef DEPTOOL_EMBEDDED  // the operator's side only
static void wipe_file(int directory, const char *name) {
    int fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        static const char zeros[4096];
        for (off_t at = 0; at < st.st_size; at += sizeof zeros) {
            if (pwrite(fd, zeros, st.st_size - at < (off_t)sizeof zeros ? (size_t)(st.st_size - at) : sizeof zeros, at) < 0) break;
        }
    }
    if (fd >= 0) close(fd);
    unlinkat(directory, name, 0);
}

static void wipe_entries(int fd, int depth) {
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int below = depth < 16 ? openat(dirfd(directory), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (below >= 0) {
            wipe_entries(below, depth + 1);
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
        } else {
            wipe_file(dirfd(directory), entry->d_name);
        }
    }
    closedir(directory);
}

int csys_wipe_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
        close(fd);
        return -EPERM;
    }
    wipe_entries(fd, 0);
    return rmdir(path) < 0 ? -errno : 0;
}
#endif
