// The primitives of BearSSL that open sealed files, each constant-time, on plain memory.
#ifndef CBEARSSL_H
#define CBEARSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void cbear_sha256(const void *bytes, size_t count, uint8_t digest[32]);
void cbear_sha512(const void *bytes, size_t count, uint8_t digest[64]);
void cbear_hmac_sha256(const void *key, size_t key_count, const void *bytes, size_t count, uint8_t code[32]);
void cbear_hkdf_sha256(const void *input, size_t count, const void *salt, size_t salt_count, const void *info, size_t info_count, uint8_t key[32]);
// RFC 7748, 5. False if the result is all zeros.
bool cbear_x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t result[32]);
// RFC 8439, 2.8, without associated data, in place. False if the tag is another.
bool cbear_open(void *text, size_t count, const uint8_t tag[16], const uint8_t key[32], const uint8_t nonce[12]);

#endif
