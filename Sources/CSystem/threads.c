#include "csystem.h"

#ifndef DEPTOOL_EMBEDDED  // the agent has one thread

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    void (*body)(void *);
    void *context;
} start;

static void *run(void *argument) {
    start it = *(start *)argument;
    free(argument);
    it.body(it.context);
    return NULL;
}

int csys_thread_start(void (*body)(void *context), void *context, uintptr_t *thread) {
    start *it = malloc(sizeof *it);
    if (!it) return -csys_eagain();
    it->body = body;
    it->context = context;
    pthread_attr_t attributes;
    pthread_t started;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, thread ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
    // Enough for libssh2 and OpenSSL; a thousand of them are a gigabyte of addresses, not of memory.
    pthread_attr_setstacksize(&attributes, 1 << 20);
    int error = pthread_create(&started, &attributes, run, it);
    pthread_attr_destroy(&attributes);
    if (error) free(it);
    else if (thread) *thread = (uintptr_t)started;
    return -error;
}

void csys_thread_join(uintptr_t thread) { pthread_join((pthread_t)thread, NULL); }

void csys_allow_descriptors(uint64_t count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= count) return;
    limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : (rlim_t)count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

struct csys_monitor {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

csys_monitor *csys_monitor_create(void) {
    csys_monitor *monitor = malloc(sizeof *monitor);
    if (!monitor) abort();
    pthread_mutex_init(&monitor->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&monitor->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return monitor;
}

void csys_monitor_free(csys_monitor *monitor) {
    pthread_cond_destroy(&monitor->condition);
    pthread_mutex_destroy(&monitor->mutex);
    free(monitor);
}

void csys_monitor_lock(csys_monitor *monitor) { pthread_mutex_lock(&monitor->mutex); }
void csys_monitor_unlock(csys_monitor *monitor) { pthread_mutex_unlock(&monitor->mutex); }

void csys_monitor_wait(csys_monitor *monitor, int64_t timeout_ms) {
    if (timeout_ms < 0) {
        pthread_cond_wait(&monitor->condition, &monitor->mutex);
        return;
    }
    // Independent of changes to the wall clock.
#ifdef __APPLE__
    struct timespec duration = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    pthread_cond_timedwait_relative_np(&monitor->condition, &monitor->mutex, &duration);
#else
    int64_t end = csys_monotonic_ns() + timeout_ms * 1000000;
    struct timespec at = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    pthread_cond_timedwait(&monitor->condition, &monitor->mutex, &at);
#endif
}

void csys_monitor_wake_all(csys_monitor *monitor) { pthread_cond_broadcast(&monitor->condition); }

#endif
