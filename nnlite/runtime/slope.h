/* eq. 21 of one value, where a loop needs it without a call. Not part of the runtime's interface. */
#ifndef NNLITE_SLOPE_H
#define NNLITE_SLOPE_H

#include "bits.h"
#include "nnlite_runtime.h"

/* Slope of leaky ReLU below 0. */
#define LEAK 0.01f

/* Whether x is above 0, by the bits: +inf is, NaN is not. */
static inline bool is_positive(float x)
{
    return bits_of_float(x) - 1u < 0x7F800000u;
}

/* eq. 21 for each activation: dx / da, from the output x alone. ReLU's x is above 0 where a is, and so is leaky
   ReLU's; sigmoid x (1 - x); tanh 1 - x^2. */
static inline float slope_of(float x, uint32_t activation)
{
    switch (activation) {
    case NN_LEAKY_RELU:
        return is_positive(x) ? 1.0f : LEAK;
    case NN_SIGMOID:
        return x * (1.0f - x);
    case NN_TANH:
        return 1.0f - x * x;
    default:
        return is_positive(x) ? 1.0f : 0.0f;
    }
}

#endif
