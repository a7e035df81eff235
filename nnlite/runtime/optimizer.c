#include "nnlite_runtime.h"

/* Update rule with eq. 18 and 19, for one layer: u_jk = dA_jk * rate, g_ij = sum_k u_jk x_ik over ascending k,
   w_ij = w_ij - g_ij; a bias has x = 1. dA becomes u in place.
   g starts from its first product instead of from +0 + product: that differs in the sign of a zero only, and
   w - (+0) and w - (-0) are the same bits, since no w is -0 (docs/NUMERICS.md, "Zeros"). */
bool nn_sgd_update(float *weights, float *bias, const float *X, float *dA, float rate, uint32_t samples,
                   uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs)
{
    bool finite = true;
    for (uint32_t k = 0; k < samples; k++) {
        float *u = dA + k * da_stride;
        for (uint32_t j = 0; j < outputs; j++) {
            u[j] = u[j] * rate;
        }
    }
    for (uint32_t i = 0; i < inputs; i++) {
        float *row = weights + i * outputs;
        for (uint32_t j = 0; j < outputs; j++) {
            float g = dA[j] * X[i];
            for (uint32_t k = 1; k < samples; k++) {
                g = g + dA[k * da_stride + j] * X[k * x_stride + i];
            }
            row[j] = row[j] - g;
            finite = finite && nn_is_finite(row[j]);
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        float g = dA[j];
        for (uint32_t k = 1; k < samples; k++) {
            g = g + dA[k * da_stride + j];
        }
        bias[j] = bias[j] - g;
        finite = finite && nn_is_finite(bias[j]);
    }
    return finite;
}
