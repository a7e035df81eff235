/* BLAKE2s-256 without a key (RFC 7693): the digest of an image, in steps that are short enough to take between two
   looks at the UART. */
#ifndef NNLITE_BLAKE2S_H
#define NNLITE_BLAKE2S_H

#include <stdbool.h>
#include <stdint.h>

#define BLAKE2S_DIGEST_BYTES 32u
#define BLAKE2S_BLOCK_BYTES 64u
#define BLAKE2S_ROUNDS 10u

typedef struct {
    uint32_t h[8];  /* the digest, once the last block is mixed in */
    uint32_t v[16]; /* of the block that is being mixed in */
    uint32_t m[16]; /* that block */
    uint32_t taken; /* bytes so far, that block counted */
    uint32_t round; /* of it; BLAKE2S_ROUNDS when it is mixed in */
} blake2s_t;

void blake2s_begin(blake2s_t *state);

/* Take the next block, of 64 bytes; only the last one of a message may be shorter. The one before must be mixed in. */
void blake2s_take(blake2s_t *state, const uint8_t *bytes, uint32_t length, bool last);

/* One of the ten rounds that mix a block in. */
void blake2s_round(blake2s_t *state);

static inline bool blake2s_is_mixing(const blake2s_t *state)
{
    return state->round != BLAKE2S_ROUNDS;
}

/* All of a message at once. The state is the caller's, since it would be a third of the deepest stack; what was in it
   is lost, and its h is the digest. */
void blake2s(blake2s_t *state, const uint8_t *bytes, uint32_t length);

#endif
