#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#ifndef DEPTOOL_EMBEDDED  // the agent has no terminal

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

int csys_set_echo(int fd, bool shown) {
    struct termios settings;
    if (tcgetattr(fd, &settings) < 0) return -errno;
    if (shown) settings.c_lflag |= ECHO;
    else settings.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(fd, TCSAFLUSH, &settings) < 0 ? -errno : 0;
}

void csys_prepare_standard_descriptors(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) open("/dev/null", O_RDWR);  // takes the lowest number, which is this one
    signal(SIGPIPE, SIG_IGN);
}

void csys_ignore_hangup(bool ignored) {
    // nohup(1) had it ignored already.
    static void (*before)(int) = SIG_ERR;
    if (ignored && before == SIG_ERR) before = signal(SIGHUP, SIG_IGN);
    if (ignored || before == SIG_ERR) return;
    signal(SIGHUP, before);
    before = SIG_ERR;
}

static int interrupts[2] = {-1, -1};
static atomic_uint interrupt_count;

static void note_interrupt(int signal) {
    (void)signal;
    atomic_fetch_add(&interrupt_count, 1);
    int saved = errno;
    char byte = 1;
    if (write(interrupts[1], &byte, 1) < 0) { /* it is full of them already */ }
    errno = saved;
}

void csys_catch_interrupts(bool caught) {
    if (!caught) {
        csys_end_by_signal(SIGINT);
        csys_end_by_signal(SIGTERM);
        return;
    }
    if (interrupts[0] < 0 && csys_pipe(&interrupts[0], &interrupts[1]) < 0) return;
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

uint32_t csys_interrupts(void) { return atomic_load(&interrupt_count); }

int csys_wait_interrupt(void) {
    char byte;
    return csys_read(interrupts[0], &byte, 1) == 1 ? 0 : -EIO;
}

int csys_terminal_columns(int fd) {
    struct winsize size;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int csys_terminal_rows(int fd) {
    struct winsize size;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

int64_t csys_local_time(int64_t seconds, char *buffer, size_t size) {
    time_t time = (time_t)seconds;
    struct tm local;
    if (!localtime_r(&time, &local)) return -EOVERFLOW;
    return (int64_t)strftime(buffer, size, "%Y-%m-%d %H:%M", &local);
}

int csys_duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

int64_t csys_own_path(char *buffer, size_t size) {
#ifdef __APPLE__
    uint32_t length = (uint32_t)size;
    return _NSGetExecutablePath(buffer, &length) == 0 ? (int64_t)strlen(buffer) : -ERANGE;
#else
    ssize_t length = readlink("/proc/self/exe", buffer, size);
    return length < 0 ? -errno : (size_t)length == size ? -ERANGE : length;
#endif
}

int64_t csys_make_temporary_directory(char *buffer, size_t size) {
    const char *parent = getenv("TMPDIR");
    int length = snprintf(buffer, size, "%s/deptool-XXXXXX", parent && *parent ? parent : "/tmp");
    if (length < 0 || (size_t)length >= size) return -ERANGE;
    return mkdtemp(buffer) ? length : -errno;
}

int csys_make_directory_plain(const char *path) { return mkdir(path, 0777) < 0 ? -errno : 0; }

int64_t csys_working_directory(char *buffer, size_t size) {
    return getcwd(buffer, size) ? (int64_t)strlen(buffer) : -errno;
}

#endif
