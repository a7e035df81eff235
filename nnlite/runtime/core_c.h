/* The inner loops in portable C: blocks of sums in local variables, so that they stay in registers from the first term
   to the last. */
#ifndef NNLITE_CORE_C_H
#define NNLITE_CORE_C_H

#include <stdbool.h>
#include <stdint.h>

#include "bits.h"

/* How a parameter is read. A core whose constants are in a memory of their own defines it before this header. */
#ifndef NN_PARAMETER
#define NN_PARAMETER(pointer) (*(pointer))
#endif

/* Rows that core_row_sums takes at once. */
enum { CORE_ROWS = 4 };

/* Eight columns of core_forward. */
static inline void core_forward_8(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                                  uint32_t outputs)
{
    float a0 = NN_PARAMETER(bias);
    float a1 = NN_PARAMETER(bias + 1);
    float a2 = NN_PARAMETER(bias + 2);
    float a3 = NN_PARAMETER(bias + 3);
    float a4 = NN_PARAMETER(bias + 4);
    float a5 = NN_PARAMETER(bias + 5);
    float a6 = NN_PARAMETER(bias + 6);
    float a7 = NN_PARAMETER(bias + 7);
    for (uint32_t i = 0; i < inputs; i++) {
        a0 = a0 + NN_PARAMETER(weights) * x[i];
        a1 = a1 + NN_PARAMETER(weights + 1) * x[i];
        a2 = a2 + NN_PARAMETER(weights + 2) * x[i];
        a3 = a3 + NN_PARAMETER(weights + 3) * x[i];
        a4 = a4 + NN_PARAMETER(weights + 4) * x[i];
        a5 = a5 + NN_PARAMETER(weights + 5) * x[i];
        a6 = a6 + NN_PARAMETER(weights + 6) * x[i];
        a7 = a7 + NN_PARAMETER(weights + 7) * x[i];
        weights += outputs;
    }
    out[0] = a0;
    out[1] = a1;
    out[2] = a2;
    out[3] = a3;
    out[4] = a4;
    out[5] = a5;
    out[6] = a6;
    out[7] = a7;
}

/* out_j = bias_j + sum_i w_ij x_i, from bias_j over ascending i: x[inputs], weights[inputs][outputs], bias[outputs],
   out[outputs]. out is none of the others. */
static inline void core_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                                uint32_t outputs)
{
    uint32_t j = 0;
    for (; j + 8 <= outputs; j += 8) {
        core_forward_8(x, weights + j, bias + j, out + j, inputs, outputs);
    }
    for (; j < outputs; j++) {
        const float *weight = weights + j;
        float a = NN_PARAMETER(bias + j);
        for (uint32_t i = 0; i < inputs; i++) {
            a = a + NN_PARAMETER(weight) * x[i];
            weight += outputs;
        }
        out[j] = a;
    }
}

/* Whether dA[n] are numbers as core_row_sums may expect them, for a core that must know; nothing is to be known here.
 */
static inline bool core_usual(const float *dA, uint32_t n)
{
    (void)dA;
    (void)n;
    return true;
}

/* sums_r = sum_j dA_j row_rj, from +0 over ascending j: dA[outputs], CORE_ROWS rows of weights[outputs]. */
static inline void core_row_sums(const float *dA, const float *const *rows, float *sums, uint32_t outputs, bool usual)
{
    const float *row0 = rows[0];
    const float *row1 = rows[1];
    const float *row2 = rows[2];
    const float *row3 = rows[3];
    (void)usual;
    float sum0 = 0.0f;
    float sum1 = 0.0f;
    float sum2 = 0.0f;
    float sum3 = 0.0f;
    for (uint32_t j = 0; j < outputs; j++) {
        sum0 = sum0 + dA[j] * NN_PARAMETER(row0 + j);
        sum1 = sum1 + dA[j] * NN_PARAMETER(row1 + j);
        sum2 = sum2 + dA[j] * NN_PARAMETER(row2 + j);
        sum3 = sum3 + dA[j] * NN_PARAMETER(row3 + j);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* The larger one of a magnitude's bits and a value's. */
static inline uint32_t core_larger(uint32_t largest, float value)
{
    uint32_t magnitude = bits_of_float(value) & 0x7FFFFFFFu;
    return magnitude > largest ? magnitude : largest;
}

/* A step of one sample: u_j = dA_j * rate; w_ij = w_ij - u_j x_i; a bias is a weight with x = 1.
   weights[inputs][outputs], bias[outputs], all finite, x[inputs], dA[outputs]. False when a new value is not finite. */
static inline bool core_step(float *weights, float *bias, const float *x, const float *dA, float rate, uint32_t inputs,
                             uint32_t outputs)
{
    uint32_t largest = 0;
    for (uint32_t j = 0; j < outputs; j++) {
        float *weight = weights + j;
        float u = dA[j] * rate;
        bias[j] = bias[j] - u;
        largest = core_larger(largest, bias[j]);
        for (uint32_t i = 0; i < inputs; i++) {
            *weight = *weight - u * x[i];
            largest = core_larger(largest, *weight);
            weight += outputs;
        }
    }
    return largest < 0x7F800000u;
}

#endif
