/* Moves of bits between float and uint32_t. Not part of the runtime's interface; the firmware
   uses them too. */
#ifndef NNLITE_BITS_H
#define NNLITE_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t bits_of_float(float value)
{
    union {
        float value;
        uint32_t bits;
    } both;
    both.value = value;
    return both.bits;
}

static inline float float_of_bits(uint32_t bits)
{
    union {
        uint32_t bits;
        float value;
    } both;
    both.bits = bits;
    return both.value;
}

/* Whether x is above 0, by the bits: +inf is, NaN is not. */
static inline bool is_positive(float x)
{
    return bits_of_float(x) - 1u < 0x7F800000u;
}

#endif
