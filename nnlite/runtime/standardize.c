#include "nnlite_runtime.h"

/* x_i = (raw_i - mean_i) * scale_i with scale = 1 / standard deviation. */
void nn_standardize(const float *x, const float *mean, const float *scale, float *out, uint32_t inputs)
{
    for (uint32_t i = 0; i < inputs; i++) {
        out[i] = (x[i] - mean[i]) * scale[i];
    }
}
