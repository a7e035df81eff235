/* nnlite's own arithmetic against the one that it is compiled with: for scripts/prove_soft_float and its test. */
#include "../../nnlite/firmware/float_m0.h"
#include "bits.h"

#include <stdbool.h>

/* a + b, a - b, a * b, a / b, by 0 to 3. */
static float compute(uint32_t operation, float a, float b)
{
    switch (operation) {
    case 0:
        return a + b;
    case 1:
        return a - b;
    case 2:
        return a * b;
    default:
        return a / b;
    }
}

/* out[n] of a[n] and b[n], by the compiler's operators. */
void compute_pairs(uint32_t operation, const float *a, const float *b, uint32_t count, float *out)
{
    for (uint32_t n = 0; n < count; n++) {
        out[n] = compute(operation, a[n], b[n]);
    }
}

static uint32_t by_hand(uint32_t operation, uint32_t a, uint32_t b)
{
    switch (operation) {
    case 0:
        return float_add_rare(a, b);
    case 1:
        return float_add_rare(a, b ^ 0x80000000u);
    case 2:
        return float_multiply_rare(a, b);
    default:
        return float_divide_rare(a, b);
    }
}

static bool agree(uint32_t operation, uint32_t a, uint32_t b)
{
    uint32_t mine = by_hand(operation, a, b);
    uint32_t wanted = bits_of_float(compute(operation, float_of_bits(a), float_of_bits(b)));
    bool none = (mine & 0x7FFFFFFFu) > 0x7F800000u && (wanted & 0x7FFFFFFFu) > 0x7F800000u;
    return mine == wanted || none; /* what is no number has nobody's bits */
}

/* Marsaglia's xorshift of 64 bits. */
static uint64_t state;

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

/* A number of any kind: bits at random, or few bits set, or few not, or a short significand. */
static uint32_t draw_number(void)
{
    uint32_t bits = draw();
    switch (draw() & 3u) {
    case 0:
        return bits;
    case 1:
        return bits & (0xFF800000u | (draw() & draw()));
    case 2:
        return bits | ((draw() | draw()) & 0x007FFFFFu);
    default:
        return bits & (0xFFFFFFFFu << (draw() % 24u));
    }
}

/* Pairs drawn from a seed other than 0 for which float_m0.c's C does not give the bits of this computer; of every
   second pair the exponents are close to each other. */
uint32_t count_differing(uint32_t operation, uint32_t seed, uint32_t count)
{
    uint32_t differing = 0;
    state = seed;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t a = draw_number();
        uint32_t b = draw_number();
        if ((n & 1u) != 0) {
            b = (b & 0x807FFFFFu) | ((a + ((draw() % 61u) << 23) - (30u << 23)) & 0x7F800000u);
        }
        differing += agree(operation, a, b) ? 0 : 1;
    }
    return differing;
}

/* The same for all pairs of some numbers. */
uint32_t count_differing_pairs(uint32_t operation, const uint32_t *numbers, uint32_t count)
{
    uint32_t differing = 0;
    for (uint32_t n = 0; n < count; n++) {
        for (uint32_t m = 0; m < count; m++) {
            differing += agree(operation, numbers[n], numbers[m]) ? 0 : 1;
        }
    }
    return differing;
}
