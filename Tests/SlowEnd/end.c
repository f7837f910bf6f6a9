// Preloaded into a program (ld.so(8)), this delays the end of its threads, and what libraries do for a thread as it ends, by
// up to 1.5 ms at each of their locks and frees; and the end of the program behind the last handler of exit(3). So what the
// one takes down is what the others use.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static _Thread_local int is_ending;

static void pause_for(long nanoseconds) { nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL); }

static void delay(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned int seed = (unsigned int)now.tv_nsec;
    pause_for(rand_r(&seed) % 1500000);
}

typedef struct {
    void *(*routine)(void *);
    void *argument;
} start;

static void *run(void *argument) {
    start it = *(start *)argument;
    free(argument);
    void *result = it.routine(it.argument);
    delay();
    is_ending = 1;
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    start *it = malloc(sizeof *it);
    if (!it) abort();
    *it = (start){routine, argument};
    int error = create(thread, attributes, run, it);
    if (error) free(it);
    return error;
}

extern void __libc_free(void *memory);  // glibc's own free(3)

void free(void *memory) {
    if (is_ending && memory) delay();
    __libc_free(memory);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
    int (*original)(pthread_rwlock_t *) = dlsym(RTLD_NEXT, "pthread_rwlock_rdlock");
    if (is_ending) delay();
    return original(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
    int (*original)(pthread_rwlock_t *) = dlsym(RTLD_NEXT, "pthread_rwlock_wrlock");
    if (is_ending) delay();
    return original(lock);
}

static void end_late(void) { pause_for(20000000); }

// Before main: the first registered handler runs last.
__attribute__((constructor)) static void prepare(void) { atexit(end_late); }
