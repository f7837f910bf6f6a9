#include <libssh2.h>
#include <stdlib.h>

// What libssh2 frees with its default allocator, as the signature that a callback hands to it.
static inline void *csh2_allocate(size_t size) { return malloc(size); }
