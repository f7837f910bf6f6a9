#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define RESULT(call) ((call) < 0 ? -errno : 0)

static int closed(int fd, int error) {
    close(fd);
    return error;
}

int csys_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -errno : RESULT(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

#ifdef __APPLE__
static int prepared(int fd) {
    if (fd < 0) return -errno;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
    int error = csys_set_nonblocking(fd);
    return error < 0 ? closed(fd, error) : fd;
}

int csys_socket(int family, int type) { return prepared(socket(family, type, 0)); }
int csys_accept(int listener) { return prepared(accept(listener, NULL, NULL)); }
#else
static int opened(int fd) { return fd < 0 ? -errno : fd; }

int csys_socket(int family, int type) { return opened(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }
int csys_accept(int listener) { return opened(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }
#endif

int csys_connect_address(const uint8_t *address, size_t length, uint16_t port, bool datagram) {
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
    } to;
    socklen_t size;
    memset(&to, 0, sizeof to);
    if (length == 4) {
        to.inet.sin_family = AF_INET;
        to.inet.sin_port = htons(port);
        memcpy(&to.inet.sin_addr, address, 4);
        size = sizeof to.inet;
    } else if (length == 16) {
        to.inet6.sin6_family = AF_INET6;
        to.inet6.sin6_port = htons(port);
        memcpy(&to.inet6.sin6_addr, address, 16);
        size = sizeof to.inet6;
    } else {
        return -EINVAL;
    }
    int fd = csys_socket(to.any.sa_family, datagram ? SOCK_DGRAM : SOCK_STREAM);
    if (fd >= 0 && connect(fd, &to.any, size) < 0 && errno != EINPROGRESS && errno != EINTR) return closed(fd, -errno);
    return fd;
}

int csys_connect_result(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
    if (error) return -error;
    // If a local port has no listener, the kernel may choose just that port for the connecting socket, which is then
    // connected to itself.
    struct sockaddr_in6 own, peer;
    socklen_t own_size = sizeof own, peer_size = sizeof peer;
    memset(&own, 0, sizeof own);
    memset(&peer, 0, sizeof peer);
    if (getsockname(fd, (struct sockaddr *)&own, &own_size) < 0) return -errno;
    // The peer may be gone already, which the next read reports.
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0) return 0;
    bool is_inet = own.sin6_family == AF_INET || own.sin6_family == AF_INET6;
    return is_inet && memcmp(&own, &peer, sizeof own) == 0 ? -ECONNREFUSED : 0;
}

// A socket of the file system, and its address.
static int unix_socket(const char *path, struct sockaddr_un *at) {
    memset(at, 0, sizeof *at);
    at->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof at->sun_path) return -ENAMETOOLONG;
    strcpy(at->sun_path, path);
    return csys_socket(AF_UNIX, SOCK_STREAM);
}

int csys_connect_unix(const char *path) {
    struct sockaddr_un to;
    int fd = unix_socket(path, &to);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0) return closed(fd, -errno);
    return fd;
}

int csys_listen_unix(const char *path) {
    struct sockaddr_un at;
    int fd = unix_socket(path, &at);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 16) < 0)) return closed(fd, -errno);
    return fd;
}

int64_t csys_receive(int fd, void *buffer, size_t count) {
    for (;;) {
        ssize_t n = recv(fd, buffer, count, 0);
        if (n >= 0) return n;
        if (errno != EINTR) return -errno;
    }
}

int64_t csys_peek(int fd, void *buffer, size_t count) {
    for (;;) {
        ssize_t n = recv(fd, buffer, count, MSG_PEEK);
        if (n >= 0) return n;
        if (errno != EINTR) return -errno;
    }
}

int64_t csys_send(int fd, const void *buffer, size_t count) {
    for (;;) {
        ssize_t n = send(fd, buffer, count, MSG_NOSIGNAL);
        if (n >= 0) return n;
        if (errno != EINTR) return -errno;
    }
}

int csys_shutdown_writing(int fd) { return RESULT(shutdown(fd, SHUT_WR)); }
int csys_shutdown(int fd) { return RESULT(shutdown(fd, SHUT_RDWR)); }
