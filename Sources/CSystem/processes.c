#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define RESULT(call) ((call) < 0 ? -errno : 0)

static int start(const void *arguments, size_t size, size_t count, int in, int out, int err, short flags) {
    // Targets below 3 would be overwritten before they are copied: the caller's descriptors are above, always.
    if (in < 3 || out < 3 || err < 3) return -EBADF;
    if (!count || !size || ((const char *)arguments)[size - 1]) return -EINVAL;
    const char **argv = calloc(count + 1, sizeof *argv);
    if (!argv) return -ENOMEM;
    const char *next = arguments, *end = next + size;
    for (size_t i = 0; i < count; i++) {
        if (next == end) {
            free(argv);
            return -EINVAL;
        }
        argv[i] = next;
        next += strlen(next) + 1;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | flags);
    pid_t pid;
    int error = posix_spawnp(&pid, argv[0], &actions, &attributes, (char **)argv, environ);
    free(argv);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error ? -error : pid;
}

int csys_spawn(const void *arguments, size_t size, size_t count, int in, int out, int err) {
    return start(arguments, size, count, in, out, err, POSIX_SPAWN_SETPGROUP);
}

#ifndef DEPTOOL_EMBEDDED
int csys_spawn_in(csys_group group, const void *arguments, size_t size, size_t count, int in, int out, int err) {
    static const short flags[] = {POSIX_SPAWN_SETPGROUP, 0, POSIX_SPAWN_SETSID};
    return start(arguments, size, count, in, out, err, flags[group]);
}
#endif

int csys_wait(int pid, bool wait) {
    for (;;) {
        int status;
        pid_t result = waitpid(pid, &status, wait ? 0 : WNOHANG);
        if (result == 0) return -EAGAIN;
        if (result > 0) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (errno != EINTR) return -errno;
    }
}

int csys_kill(int pid, int signal) { return RESULT(kill(pid, signal)); }
int csys_kill_group(int pid, int signal) { return RESULT(kill(-pid, signal)); }

int csys_fork(void) {
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

int csys_setsid(void) { return RESULT(setsid()); }
int csys_getpid(void) { return getpid(); }
int csys_getuid(void) { return (int)getuid(); }
int csys_getgid(void) { return (int)getgid(); }

void csys_exit(int status) {
#ifndef DEPTOOL_EMBEDDED
    csys_remove_leftovers();
#endif
    _exit(status);
}

void csys_ignore_hangup_and_pipe(void) {
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

void csys_set_umask(uint32_t mask) { umask((mode_t)mask); }

static int close_on_exec(int fds[2], int *one, int *other) {
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    *one = fds[0];
    *other = fds[1];
    return 0;
}

int csys_pipe(int *read_end, int *write_end) {
    int fds[2];
#ifndef __APPLE__
    if (pipe2(fds, O_CLOEXEC) < 0) return -errno;
#else
    if (pipe(fds) < 0) return -errno;
#endif
    return close_on_exec(fds, read_end, write_end);
}

int csys_socketpair(int *one, int *other) {
    int fds[2];
#ifndef __APPLE__
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) return -errno;
#else
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return -errno;
#endif
    return close_on_exec(fds, one, other);
}

int csys_open_null(void) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int csys_poll(csys_poll_item *items, size_t count, int64_t timeout_ms) {
    struct pollfd fds[count ? count : 1];
    for (size_t i = 0; i < count; i++) {
        fds[i].fd = items[i].fd;
        fds[i].events = (items[i].readable ? POLLIN : 0) | (items[i].writable ? POLLOUT : 0);
        fds[i].revents = 0;
    }
    int limit = timeout_ms < 0 ? -1 : timeout_ms > 0x7fffffff ? 0x7fffffff : (int)timeout_ms;
    int ready = poll(fds, (nfds_t)count, limit);
    if (ready < 0) {
        int error = errno;
        for (size_t i = 0; i < count; i++) items[i].readable = items[i].writable = false;
        return -error;
    }
    for (size_t i = 0; i < count; i++) {
        items[i].readable = items[i].readable && (fds[i].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL));
        items[i].writable = items[i].writable && (fds[i].revents & (POLLOUT | POLLERR | POLLNVAL));
    }
    return ready;
}

static int64_t now(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t csys_monotonic_ns(void) { return now(CLOCK_MONOTONIC); }
int64_t csys_realtime_ns(void) { return now(CLOCK_REALTIME); }

int64_t csys_nodename(void *buffer, size_t size) {
    struct utsname name;
    if (uname(&name) < 0) return -errno;
    size_t n = strlen(name.nodename);
    if (n > size) return -ERANGE;
    memcpy(buffer, name.nodename, n);
    return (int64_t)n;
}

const char *csys_strerror(int error) { return strerror(error); }
const char *csys_getenv(const char *name) { return getenv(name); }
int csys_isatty(int fd) { return isatty(fd); }

bool csys_was_told(const char *word) {
#ifndef __APPLE__
    // Embedded Swift does not have the arguments.
    char words[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t count = read(fd, words, sizeof words - 1);
    close(fd);
    if (count <= 0) return false;
    words[count] = 0;
    size_t name = strlen(words) + 1;
    return name < (size_t)count && strcmp(words + name, word) == 0;
#else
    (void)word;
    return false;
#endif
}

const char *csys_own_name(void) {
#ifndef __APPLE__
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return "";
    path[n] = 0;
    char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
#else
    return getprogname();
#endif
}

int csys_eagain(void) { return EAGAIN; }
int csys_enotempty(void) { return ENOTEMPTY; }
int csys_eloop(void) { return ELOOP; }
int csys_efbig(void) { return EFBIG; }
int csys_econnrefused(void) { return ECONNREFUSED; }

void csys_zero(void *buffer, size_t count) {
    volatile unsigned char *at = buffer;
    while (count--) *at++ = 0;
}

#if defined(DEPTOOL_EMBEDDED)
#include <sys/random.h>

// The seed of Embedded Swift's hashing; musl has no such function.
void arc4random_buf(void *buffer, size_t count) {
    uint8_t *at = buffer;
    while (count) {
        ssize_t n = getrandom(at, count, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            abort();
        }
        at += n;
        count -= (size_t)n;
    }
}
#endif
