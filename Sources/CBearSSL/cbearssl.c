#include "cbearssl.h"

#include <bearssl.h>
#include <string.h>

// A function may leave parts of a secret on the stack.
static void wipe(void *memory, size_t count)
{
    memset(memory, 0, count);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static bool same(const uint8_t *one, const uint8_t *other, size_t count)
{
    unsigned difference = 0;
    for (size_t index = 0; index < count; index++) difference |= one[index] ^ other[index];
    return difference == 0;
}

void cbear_sha256(const void *bytes, size_t count, uint8_t digest[32])
{
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, bytes, count);
    br_sha256_out(&context, digest);
    wipe(&context, sizeof context);
}

void cbear_sha512(const void *bytes, size_t count, uint8_t digest[64])
{
    br_sha512_context context;
    br_sha512_init(&context);
    br_sha512_update(&context, bytes, count);
    br_sha512_out(&context, digest);
    wipe(&context, sizeof context);
}

void cbear_hmac_sha256(const void *key, size_t key_count, const void *bytes, size_t count, uint8_t code[32])
{
    br_hmac_key_context schedule;
    br_hmac_context context;
    br_hmac_key_init(&schedule, &br_sha256_vtable, key, key_count);
    br_hmac_init(&context, &schedule, 0);
    br_hmac_update(&context, bytes, count);
    br_hmac_out(&context, code);
    wipe(&schedule, sizeof schedule);
    wipe(&context, sizeof context);
}

void cbear_hkdf_sha256(const void *input, size_t count, const void *salt, size_t salt_count, const void *info, size_t info_count, uint8_t key[32])
{
    br_hkdf_context context;
    br_hkdf_init(&context, &br_sha256_vtable, salt, salt_count);
    br_hkdf_inject(&context, input, count);
    br_hkdf_flip(&context);
    br_hkdf_produce(&context, info, info_count, key, 32);
    wipe(&context, sizeof context);
}

bool cbear_x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t result[32])
{
    uint8_t zero[32] = {0};
    memcpy(result, point, 32);
    // Clamps the scalar.
    uint32_t is_valid = br_ec_c25519_m31.mul(result, 32, scalar, 32, BR_EC_curve25519);
    return is_valid && !same(result, zero, 32);
}

bool cbear_open(void *text, size_t count, const uint8_t tag[16], const uint8_t key[32], const uint8_t nonce[12])
{
    uint8_t computed[16];
    br_poly1305_ctmul_run(key, nonce, text, count, "", 0, computed, br_chacha20_ct_run, 0);
    return same(computed, tag, 16);
}

#ifdef DEPTOOL_EMBEDDED
// Debian's library calls the checked versions of these, which its own C library has and musl has not.
void *__memcpy_chk(void *to, const void *from, size_t count, size_t room)
{
    if (count > room) __builtin_trap();
    return memcpy(to, from, count);
}

void *__memset_chk(void *memory, int value, size_t count, size_t room)
{
    if (count > room) __builtin_trap();
    return memset(memory, value, count);
}
#endif
