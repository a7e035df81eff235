#include "blake2s.h"

#include "board.h"
#include "bytes.h"

/* RFC 7693, section 2.6: the initialisation vector. */
static const uint32_t IV[8] = {
    0x6A09E667u, 0xBB67AE85u, 0x3C6EF372u, 0xA54FF53Au, 0x510E527Fu, 0x9B05688Cu, 0x1F83D9ABu, 0x5BE0CD19u,
};

/* RFC 7693, section 2.7: which message word goes where in each of the ten rounds. */
static BOARD_CONST_WHILE_WRITING uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* The quarters of a round as indices into v: four columns, then four diagonals (section 3.2). */
static BOARD_CONST_WHILE_WRITING uint8_t MIX[8][4] = {
    {0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14}, {3, 7, 11, 15},
    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13},  {3, 4, 9, 14},
};

static uint32_t rotate_right(uint32_t word, unsigned bits)
{
    return (word >> bits) | (word << (32u - bits));
}

void blake2s_begin(blake2s_t *state)
{
    for (unsigned i = 0; i < 8; i++) {
        state->h[i] = IV[i];
    }
    state->h[0] ^= 0x01010000u ^ BLAKE2S_DIGEST_BYTES; /* section 2.5: no key, fanout and depth 1 */
    state->taken = 0;
    state->round = BLAKE2S_ROUNDS;
}

/* Section 3.2, function F, up to its rounds. */
void blake2s_take(blake2s_t *state, const uint8_t *bytes, uint32_t length, bool last)
{
    for (unsigned i = 0; i < 16; i++) {
        state->m[i] = 4 * i < length ? load_u32(bytes + 4 * i) : 0;
    }
    for (unsigned i = 0; i < 8; i++) {
        state->v[i] = state->h[i];
        state->v[i + 8] = IV[i];
    }
    state->taken += length;
    state->v[12] ^= state->taken; /* the counter's high word is 0: an image is below 4 GB */
    if (last) {
        state->v[14] = ~state->v[14];
    }
    state->round = 0;
}

BOARD_CODE_WHILE_WRITING void blake2s_round(blake2s_t *state)
{
    const uint8_t *sigma = SIGMA[state->round++];
    const uint32_t *m = state->m;
    uint32_t *v = state->v;
    for (unsigned i = 0; i < 8; i++) {
        uint32_t a = v[MIX[i][0]];
        uint32_t b = v[MIX[i][1]];
        uint32_t c = v[MIX[i][2]];
        uint32_t d = v[MIX[i][3]];
        a += b + m[*sigma++];
        d = rotate_right(d ^ a, 16);
        c += d;
        b = rotate_right(b ^ c, 12);
        a += b + m[*sigma++];
        d = rotate_right(d ^ a, 8);
        c += d;
        b = rotate_right(b ^ c, 7);
        v[MIX[i][0]] = a;
        v[MIX[i][1]] = b;
        v[MIX[i][2]] = c;
        v[MIX[i][3]] = d;
    }
    if (state->round == BLAKE2S_ROUNDS) {
        for (unsigned i = 0; i < 8; i++) {
            state->h[i] ^= v[i] ^ v[i + 8];
        }
    }
}

void blake2s(blake2s_t *state, const uint8_t *bytes, uint32_t length)
{
    blake2s_begin(state);
    do {
        uint32_t rest = length - state->taken;
        uint32_t block = rest < BLAKE2S_BLOCK_BYTES ? rest : BLAKE2S_BLOCK_BYTES;
        blake2s_take(state, bytes + state->taken, block, block == rest);
        while (blake2s_is_mixing(state)) {
            blake2s_round(state);
        }
    } while (state->taken < length);
}
