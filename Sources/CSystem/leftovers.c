#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "csystem.h"

#ifndef DEPTOOL_EMBEDDED  // a host sweeps its own

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Never freed, since a signal may come while the list is read. There are two for each login that can prompt.
struct csys_leftover {
    struct csys_leftover *older;
    atomic_bool is_there;
    bool is_directory;
    char path[];
};

static struct csys_leftover *_Atomic newest;

csys_leftover *csys_remove_at_end(const char *path, bool is_directory) {
    size_t size = strlen(path) + 1;
    struct csys_leftover *leftover = malloc(sizeof *leftover + size);
    if (!leftover) return NULL;
    memcpy(leftover->path, path, size);
    atomic_init(&leftover->is_there, true);
    leftover->is_directory = is_directory;
    leftover->older = atomic_load(&newest);
    while (!atomic_compare_exchange_weak(&newest, &leftover->older, leftover)) {}
    return leftover;
}

void csys_forget(csys_leftover *leftover) {
    if (leftover) atomic_store(&leftover->is_there, false);
}

void csys_remove_leftovers(void) {
    for (struct csys_leftover *leftover = atomic_load(&newest); leftover; leftover = leftover->older)
        if (atomic_exchange(&leftover->is_there, false)) (leftover->is_directory ? rmdir : unlink)(leftover->path);
}

static void end(int number) {
    csys_remove_leftovers();
    signal(number, SIG_DFL);
    raise(number);  // as soon as this returns
}

void csys_end_by_signal(int number) { signal(number, end); }

void csys_end_by_interrupt(void) {
    csys_end_by_signal(SIGINT);
    kill(getpid(), SIGINT);
    // A thread takes it that does not block it, as this one may do.
    sleep(1);
    csys_exit(130);
}

void csys_end_by_signals(void) {
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) {
        struct sigaction before;
        // nohup(1) ignores SIGHUP, and a shell's `&` Ctrl-C.
        if (sigaction(numbers[index], NULL, &before) == 0 && before.sa_handler == SIG_DFL) csys_end_by_signal(numbers[index]);
    }
}

#endif
