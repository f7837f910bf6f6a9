#ifndef DEPTOOL_EMBEDDED
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESULT(call) ((call) < 0 ? -errno : 0)

// Shared by the caller and the resolving thread; the last one to let go frees it.
struct csys_lookup {
    atomic_int holders;
    char *name;
    char port[8];
    struct addrinfo hints;
    struct addrinfo *found;
    atomic_int result;  // stored behind all else
    int ready, done;  // a pipe: the thread closes `done`
};

static void let_go(csys_lookup *lookup) {
    if (atomic_fetch_sub(&lookup->holders, 1) != 1) return;
    if (lookup->found) freeaddrinfo(lookup->found);
    close(lookup->ready);
    free(lookup->name);
    free(lookup);
}

static void *resolve(void *argument) {
    csys_lookup *lookup = argument;
    int error = getaddrinfo(lookup->name, lookup->port, &lookup->hints, &lookup->found);
    int result = error == 0            ? 0
                 : error == EAI_AGAIN  ? -EAGAIN
                 : error == EAI_MEMORY ? -ENOMEM
                 : error == EAI_SYSTEM ? -(errno ? errno : EIO)
                                       : -ENOENT;
    atomic_store(&lookup->result, result);
    close(lookup->done);
    let_go(lookup);
    return NULL;
}

int csys_lookup_start(const char *name, uint16_t port, csys_family family, csys_lookup **out, int *ready) {
    csys_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup || !(lookup->name = strdup(name))) {
        free(lookup);
        return -ENOMEM;
    }
    snprintf(lookup->port, sizeof lookup->port, "%u", port);
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->hints.ai_family = family == csys_family_inet    ? AF_INET
                              : family == csys_family_inet6 ? AF_INET6
                                                            : AF_UNSPEC;
    int error = csys_pipe(&lookup->ready, &lookup->done);
    if (error < 0) {
        free(lookup->name);
        free(lookup);
        return error;
    }
    atomic_init(&lookup->holders, 2);
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attributes, resolve, lookup);
    pthread_attr_destroy(&attributes);
    if (error) {
        close(lookup->done);
        atomic_store(&lookup->holders, 1);
        let_go(lookup);
        return -error;
    }
    *out = lookup;
    *ready = lookup->ready;
    return 0;
}

int csys_lookup_count(csys_lookup *lookup) {
    int result = atomic_load(&lookup->result);
    if (result < 0) return result;
    int count = 0;
    for (struct addrinfo *at = lookup->found; at; at = at->ai_next) count++;
    return count;
}

void csys_lookup_free(csys_lookup *lookup) { let_go(lookup); }

static struct addrinfo *address(csys_lookup *lookup, size_t index) {
    struct addrinfo *at = lookup->found;
    while (at && index--) at = at->ai_next;
    return at;
}

// A host that is gone without a word, or a network that is cut, ends the connection after about half a minute.
static void notice_death(int fd) {
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
#ifdef TCP_KEEPIDLE
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){10}, sizeof(int));
#elif defined(TCP_KEEPALIVE)
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPALIVE, &(int){10}, sizeof(int));
#endif
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){5}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){4}, sizeof(int));
#ifdef TCP_USER_TIMEOUT
    // The same for what was sent and is never acknowledged, in milliseconds.
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){30000}, sizeof(int));
#endif
}

int csys_connect_start(csys_lookup *lookup, size_t index) {
    struct addrinfo *to = address(lookup, index);
    if (!to) return -EINVAL;
    int fd = csys_socket(to->ai_family, to->ai_socktype);
    if (fd < 0) return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    notice_death(fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS && errno != EINTR) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int64_t csys_address_text(csys_lookup *lookup, size_t index, char *buffer, size_t size) {
    struct addrinfo *at = address(lookup, index);
    if (!at) return -EINVAL;
    if (getnameinfo(at->ai_addr, at->ai_addrlen, buffer, (socklen_t)size, NULL, 0, NI_NUMERICHOST)) return -EINVAL;
    return (int64_t)strlen(buffer);
}

static int opened(int fd) { return fd < 0 ? -errno : fd; }

int csys_open_followed(const char *path) { return opened(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)); }

int csys_open_append_followed(const char *path, uint32_t mode) {
    return opened(open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, (mode_t)mode));
}

int csys_account(char *name, size_t name_size, char *home, size_t home_size) {
    struct passwd entry, *found = NULL;
    char buffer[16384];
    int error = getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found);
    if (error) return -error;
    if (!found) return -ENOENT;
    if (strlen(entry.pw_name) >= name_size || strlen(entry.pw_dir) >= home_size) return -ERANGE;
    strcpy(name, entry.pw_name);
    strcpy(home, entry.pw_dir);
    return 0;
}

int64_t csys_user_name(uint32_t uid, char *out, size_t size) {
    struct passwd entry, *found = NULL;
    char buffer[16384];
    int error = getpwuid_r(uid, &entry, buffer, sizeof buffer, &found);
    if (error) return -error;
    if (!found) return -ENOENT;
    size_t length = strlen(entry.pw_name);
    if (length > size) return -ERANGE;
    memcpy(out, entry.pw_name, length);
    return (int64_t)length;
}

bool csys_is_private_group(uint32_t gid) {
    struct passwd user, *has_user = NULL;
    struct group group, *has_group = NULL;
    char user_buffer[16384], group_buffer[16384];
    if (getpwuid_r(getuid(), &user, user_buffer, sizeof user_buffer, &has_user) || !has_user) return false;
    if (user.pw_gid != gid) return false;
    if (getgrgid_r(gid, &group, group_buffer, sizeof group_buffer, &has_group) || !has_group) return false;
    if (strcmp(group.gr_name, user.pw_name) != 0) return false;
    for (char **member = group.gr_mem; *member; member++) {
        if (strcmp(*member, user.pw_name) != 0) return false;
    }
    return true;
}
#endif
