#include "csha1.h"

#include <stdbool.h>

static inline uint32_t rotated(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

static inline uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void csha1_compress_portably(uint32_t state[5], const void *blocks, size_t count) {
    const uint8_t *bytes = blocks;
    for (; count > 0; count--, bytes += 64) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) w[i] = big_endian(bytes + 4 * i);
        for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                  : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = rotated(a, 5) + f + e + w[i];
            e = d;
            d = c;
            c = rotated(b, 30);
            b = a;
            a = next;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
}

// Both instruction sets work on four rounds at once. Group g of 20 uses the words 4g to 4g+3 of the message schedule; `w`
// holds the last 16 of them, in a ring.

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static bool is_accelerated(void) {
    unsigned a, b, c, d;
    const unsigned ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & ssse3) && (c & sse41) && __get_cpuid_count(7, 0, &a, &b, &c, &d)
           && (b & sha);
}

// Intel 64 and IA-32 Architectures Software Developer's Manual, SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2. The registers
// hold `a` in the highest lane, and `e` alone in the highest lane of its own.
__attribute__((target("sha,ssse3,sse4.1"))) static void compress_accelerated(
    uint32_t state[5], const void *blocks, size_t count) {
    const __m128i reversed = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    const uint8_t *bytes = blocks;
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1B);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
    for (; count > 0; count--, bytes += 64) {
        const __m128i abcd_before = abcd, e_before = e;
        __m128i w[4], previous = e;
#pragma clang loop unroll(full)
        for (int g = 0; g < 20; g++) {
            if (g < 4) {
                w[g] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + 16 * g)), reversed);
            } else {
                __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(w[g & 3], w[(g + 1) & 3]), w[(g + 2) & 3]);
                w[g & 3] = _mm_sha1msg2_epu32(mixed, w[(g + 3) & 3]);
            }
            // Only the first group gets `e` directly; later, it is `a` of four rounds ago.
            __m128i input = g == 0 ? _mm_add_epi32(previous, w[0]) : _mm_sha1nexte_epu32(previous, w[g & 3]);
            previous = abcd;
            switch (g / 5) {
                case 0: abcd = _mm_sha1rnds4_epu32(abcd, input, 0); break;
                case 1: abcd = _mm_sha1rnds4_epu32(abcd, input, 1); break;
                case 2: abcd = _mm_sha1rnds4_epu32(abcd, input, 2); break;
                default: abcd = _mm_sha1rnds4_epu32(abcd, input, 3); break;
            }
        }
        e = _mm_sha1nexte_epu32(previous, e_before);
        abcd = _mm_add_epi32(abcd, abcd_before);
    }
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1B));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#if !defined(__APPLE__)
#include <sys/auxv.h>
#endif

static bool is_accelerated(void) {
#if defined(__APPLE__)
    return true;
#else
    const unsigned long sha1 = 1ul << 5;  // HWCAP_SHA1
    return getauxval(AT_HWCAP) & sha1;
#endif
}

// Arm Architecture Reference Manual, SHA1C, SHA1P, SHA1M, SHA1H, SHA1SU0, SHA1SU1.
__attribute__((target("sha2"))) static void compress_accelerated(
    uint32_t state[5], const void *blocks, size_t count) {
    static const uint32_t constants[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    const uint8_t *bytes = blocks;
    uint32x4_t abcd = vld1q_u32(state);
    uint32_t e = state[4];
    for (; count > 0; count--, bytes += 64) {
        const uint32x4_t abcd_before = abcd;
        const uint32_t e_before = e;
        uint32x4_t w[4];
#pragma clang loop unroll(full)
        for (int g = 0; g < 20; g++) {
            if (g < 4) {
                w[g] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes + 16 * g)));
            } else {
                uint32x4_t mixed = vsha1su0q_u32(w[g & 3], w[(g + 1) & 3], w[(g + 2) & 3]);
                w[g & 3] = vsha1su1q_u32(mixed, w[(g + 3) & 3]);
            }
            uint32x4_t input = vaddq_u32(w[g & 3], vdupq_n_u32(constants[g / 5]));
            uint32_t next = vsha1h_u32(vgetq_lane_u32(abcd, 0));
            switch (g / 5) {
                case 0: abcd = vsha1cq_u32(abcd, e, input); break;
                case 2: abcd = vsha1mq_u32(abcd, e, input); break;
                default: abcd = vsha1pq_u32(abcd, e, input); break;
            }
            e = next;
        }
        abcd = vaddq_u32(abcd, abcd_before);
        e += e_before;
    }
    vst1q_u32(state, abcd);
    state[4] = e;
}

#else
static bool is_accelerated(void) { return false; }
static void compress_accelerated(uint32_t state[5], const void *blocks, size_t count) {
    csha1_compress_portably(state, blocks, count);
}
#endif

void csha1_compress(uint32_t state[5], const void *blocks, size_t count) {
    // Asking the CPU costs more than a block. Threads that ask concurrently get the same answer.
    static _Atomic signed char known = 0;
    if (known == 0) known = is_accelerated() ? 1 : -1;
    if (known > 0) {
        compress_accelerated(state, blocks, count);
    } else {
        csha1_compress_portably(state, blocks, count);
    }
}
