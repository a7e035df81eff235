#include "bits.h"
#include "core.h"
#include "nnlite_runtime.h"
#include "slope.h"

/* eq. 8: a_j = b_j + sum_i w_ij x_i, from b_j over ascending i. */
void nn_dense_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                      uint32_t outputs)
{
    core_forward(x, weights, bias, out, inputs, outputs);
}

/* General gradients and eq. 21: dX_i = (sum_j dA_j w_ij) * slope_i, the sum from +0 over ascending j. x is the
   activation's output, which tells its slope; where that is 0 (never -0) the sum is not computed and dX_i is +0 (the
   neat trick). The others are collected and summed side by side; where they are not enough, the last one again. */
void nn_dense_backward(const float *dA, const float *weights, const float *x, float *dX, uint32_t activation,
                       uint32_t inputs, uint32_t outputs)
{
    const float *rows[CORE_ROWS];
    float *to[CORE_ROWS];
    float slopes[CORE_ROWS];
    float sums[CORE_ROWS];
    uint32_t waiting = 0;
    bool usual = core_usual(dA, outputs);
    for (uint32_t left = inputs; left != 0; left--) {
        float slope = slope_of(*x++, activation);
        *dX = 0.0f;
        if (bits_of_float(slope) != 0) {
            rows[waiting] = weights;
            to[waiting] = dX;
            slopes[waiting] = slope;
            waiting++;
        }
        if (waiting == CORE_ROWS || (left == 1 && waiting != 0)) {
            for (uint32_t r = waiting; r < CORE_ROWS; r++) {
                rows[r] = rows[r - 1];
            }
            core_row_sums(dA, rows, sums, outputs, usual);
            for (uint32_t r = 0; r < waiting; r++) {
                *to[r] = sums[r] * slopes[r];
            }
            waiting = 0;
        }
        weights += outputs;
        dX++;
    }
}
