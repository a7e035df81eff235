#include "nnlite_runtime.h"

/* eq. 8: a_j = b_j + sum_i w_ij x_i, from b_j over ascending i. The sums of all j advance side by side. */
void nn_dense_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                      uint32_t outputs)
{
    for (uint32_t j = 0; j < outputs; j++) {
        out[j] = bias[j];
    }
    for (uint32_t i = 0; i < inputs; i++) {
        const float *row = weights + i * outputs;
        for (uint32_t j = 0; j < outputs; j++) {
            out[j] = out[j] + row[j] * x[i];
        }
    }
}

/* General gradients and eq. 21: dX_i = (sum_j dA_j w_ij) * slope_i, the sum from +0 over ascending j. x is the
   activation's output, which tells its slope; where that is 0 the sum is not computed and dX_i is +0 (the neat
   trick). */
void nn_dense_backward(const float *dA, const float *weights, const float *x, float *dX, uint32_t activation,
                       uint32_t inputs, uint32_t outputs)
{
    for (uint32_t i = 0; i < inputs; i++) {
        const float *row = weights + i * outputs;
        float slope = nn_slope(x[i], activation);
        float sum = 0.0f;
        if (slope != 0.0f) {
            for (uint32_t j = 0; j < outputs; j++) {
                sum = sum + dA[j] * row[j];
            }
            sum = sum * slope;
        }
        dX[i] = sum;
    }
}
