/* BLAKE2s-256 without a key (RFC 7693); Python's hashlib.blake2s. */
#ifndef NNLITE_BLAKE2S_H
#define NNLITE_BLAKE2S_H

#include <stdint.h>

#define BLAKE2S_DIGEST_BYTES 32u

/* Digest of `length` bytes, a multiple of 4 as every image is. */
void blake2s(const uint8_t *bytes, uint32_t length, uint32_t digest[8]);

#endif
