#include "bits.h"
#include "nnlite_runtime.h"

#if defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4)

/* The core has an instruction. By name, since compilers make a call to sqrtf of their built-in. */
static float root_of_positive(float x)
{
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(x));
    return root;
}

#else

/* The root of a float above 0, digit by digit: with x = m 2^e, e even and 1 <= m < 4, the 25 leading bits of the root
   of m, one a turn, then rounded to 24. No tie can come up: the square of 25 bits, the last one set, has more bits
   than m. */
static float root_of_positive(float x)
{
    int32_t exponent = -127;
    uint32_t bits = bits_of_float(x);
    if (bits < 0x00800000u) { /* subnormal */
        bits = bits_of_float(x * 0x1p+24f);
        exponent = -127 - 24;
    }
    exponent = exponent + (int32_t)(bits >> 23);
    uint32_t odd = (uint32_t)exponent & 1u;
    exponent = (exponent - (int32_t)odd) / 2;
    /* in units of 2^-24; `rest` is m less the square of `root`, doubled every turn to keep its place */
    uint32_t rest = ((bits & 0x7FFFFFu) | 0x800000u) << (1u + odd);
    uint32_t root = 0;
    for (uint32_t bit = (uint32_t)1 << 24; bit != 0; bit >>= 1) {
        uint32_t growth = 2 * root + bit; /* of the square by this bit: (root + bit)^2 - root^2, over bit */
        if (growth <= rest) {
            rest -= growth;
            root += bit;
        }
        rest <<= 1;
    }
    /* the implicit bit of the rounded root counts one in the exponent's field */
    return float_of_bits(((root + 1) >> 1) + ((uint32_t)(exponent + 126) << 23));
}

#endif

/* Correctly rounded, as IEEE-754 wants it: the bits of the instruction that laptops have. -0 stays -0; NaN below. */
float nn_sqrt_f32(float x)
{
    /* by the bits this is one comparison: both zeros, inf, NaN, and all below 0 */
    if (bits_of_float(x) - 1u >= 0x7F7FFFFFu) {
        return x < 0.0f ? float_of_bits(0x7FC00000u) : x;
    }
    return root_of_positive(x);
}
