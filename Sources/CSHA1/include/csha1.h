// The compression function of SHA-1 (RFC 3174), by the CPU's own instructions where it has them: three to five times as
// fast, which is what a deploy of a large file spends most of its time on.
#ifndef CSHA1_H
#define CSHA1_H

#include <stddef.h>
#include <stdint.h>

// Works `count` blocks of 64 bytes into the state.
void csha1_compress(uint32_t state[5], const void *blocks, size_t count);

// The same without special instructions, for a CPU that lacks them.
void csha1_compress_portably(uint32_t state[5], const void *blocks, size_t count);

#endif
