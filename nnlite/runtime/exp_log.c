#include "bits.h"
#include "nnlite_runtime.h"

/* Own exp and log, since every C library's differ in their last bits. Both reduce the argument with ln 2 in two
   parts, the high one short enough that a multiple of it is exact, and end in a polynomial fitted by
   scripts/fit_polynomials. Their worst error over all inputs stands in docs/NUMERICS.md. */

static const float LN2_HIGH = 0x1.62e4p-1f;
static const float LN2_LOW = 0x1.7f7d1cp-20f;

/* 2^k as a float; -126 <= k <= 127. */
static float power_of_two(int32_t k)
{
    return float_of_bits((uint32_t)(k + 127) << 23);
}

bool nn_is_finite(float x)
{
    return (bits_of_float(x) & 0x7F800000u) != 0x7F800000u;
}

/* e^x = 2^k e^r with k the integer nearest to x / ln 2, and e^r = 1 + (r + r^2 P(r)). */
float nn_exp_f32(float x)
{
    uint32_t bits = bits_of_float(x);
    if ((bits & 0x7FFFFFFFu) == 0) {
        return 1.0f; /* what follows would give it, too; softmax has one every time */
    }
    bool usual = (bits & 0x7FFFFFFFu) < 0x42AE0000u; /* below 87 both ways: the result is normal */
    if (!usual) {
        if (x != x) {
            return x;
        }
        if (x > 0x1.62e42ep+6f) { /* above it the result exceeds the largest float */
            return float_of_bits(0x7F800000u);
        }
        if (x < -0x1.9fe368p+6f) { /* below it the result is less than half the smallest */
            return 0.0f;
        }
    }
    float half = float_of_bits((bits & 0x80000000u) | 0x3F000000u); /* 0.5 with the sign of x */
    int32_t k = (int32_t)(x * 0x1.715476p+0f + half);
    float t = (float)k;
    float r = (x - t * LN2_HIGH) - t * LN2_LOW;
    float p = 0x1.120c04p-7f + r * 0x1.6d7612p-10f;
    p = 0x1.5554b8p-5f + r * p;
    p = 0x1.5554dcp-3f + r * p;
    p = 0.5f + r * p;
    /* 1 + r loses the low bits of r; they are got back and added with the small rest. */
    float s = 1.0f + r;
    float lost = r - (s - 1.0f);
    float y = s + (lost + (r * r) * p);
    if (usual) { /* 2^k is exact, and as good as an addition to the exponent */
        return float_of_bits(bits_of_float(y) + ((uint32_t)k << 23));
    }
    /* In two factors: k may be 128, and a subnormal result must be rounded only once. */
    int32_t first = k / 2;
    return (y * power_of_two(first)) * power_of_two(k - first);
}

/* log x = k ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); with s = f / (2 + f) the latter is
   f - (f^2 / 2 - s (f^2 / 2 + z Q(z))), z = s^2. */
float nn_log_f32(float x)
{
    int32_t k = 0;
    if (x != x || x == float_of_bits(0x7F800000u)) {
        return x;
    }
    if (x == 0.0f) {
        return float_of_bits(0xFF800000u);
    }
    if (x < 0.0f) {
        return float_of_bits(0x7FC00000u);
    }
    if (x < 0x1p-126f) {
        x = x * 0x1p+25f;
        k = -25;
    }
    uint32_t bits = bits_of_float(x);
    /* 0x3F3504F3 is sqrt(1/2); the sum is positive, since x is normal now */
    int32_t e = (int32_t)((bits + (0x3F800000u - 0x3F3504F3u)) >> 23) - 127;
    k = k + e;
    float f = float_of_bits(bits - ((uint32_t)e << 23)) - 1.0f;
    float t = (float)k;
    float s = f / (2.0f + f);
    float z = s * s;
    float q = 0x1.997c06p-2f + z * 0x1.2eeb9p-2f;
    q = z * (0x1.55555cp-1f + z * q);
    float half_square = (0.5f * f) * f;
    return t * LN2_HIGH - ((half_square - (s * (half_square + q) + t * LN2_LOW)) - f);
}
