// SHA-256 (FIPS 180-4), with which `deptool self-check` reads the agents once more. Hosts have sha256sum for it; the operator's machine may not.
#ifndef CAGENTS_SHA256_H
#define CAGENTS_SHA256_H

#include <stddef.h>

// Writes the hash of `size` bytes as 64 hexadecimal digits and a zero.
void carried_sha256(const unsigned char *bytes, size_t size, char digits[65]);

#endif
