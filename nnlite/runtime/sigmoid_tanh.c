#include "bits.h"
#include "nnlite_runtime.h"

/* Sigmoid and tanh from nn_exp_f32; next to 0 tanh has a polynomial of its own, fitted by scripts/fit_polynomials.
   Their worst error over all inputs stands in docs/NUMERICS.md. */

/* With t = e^-|x| it is t / (1 + t) where x is negative, and 1 less that elsewhere; so it is never above 1. */
float nn_sigmoid_f32(float x)
{
    if (x != x) {
        return x;
    }
    float t = nn_exp_f32(x < 0.0f ? x : -x);
    /* 1 + t loses the low bits of t, up to half a unit in the last place of the quotient; to first order they
       make it smaller by themselves. */
    float s = 1.0f + t;
    float lost = t - (s - 1.0f);
    float y = t / s;
    y = y - y * lost;
    return x < 0.0f ? y : 1.0f - y;
}

/* x below 2^-12, x + x (z T(z)) with z = x^2 below 0.7, then 1 - 2 / (e^2|x| + 1) with the sign of x. */
float nn_tanh_f32(float x)
{
    float magnitude = x < 0.0f ? -x : x;
    if (x != x || magnitude < 0x1p-12f) {
        return x;
    }
    if (magnitude < 0x1.666666p-1f) {
        float z = x * x;
        float p = -0x1.0a3434p-7f + z * 0x1.0f32fep-9f;
        p = 0x1.636eb4p-6f + z * p;
        p = -0x1.b9f328p-5f + z * p;
        p = 0x1.1110a8p-3f + z * p;
        p = -0x1.555554p-2f + z * p;
        return x + x * (z * p);
    }
    float y = 1.0f - 2.0f / (nn_exp_f32(magnitude + magnitude) + 1.0f);
    return x < 0.0f ? -y : y;
}
