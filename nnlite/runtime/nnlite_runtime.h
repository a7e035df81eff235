/* The arithmetic of nnlite in C99: the mirror of nnlite/kernels, file by file and name by name.

   binary32 only, no fused operations (compile with -ffp-contract=off), every sum in one written order, so that
   the bits are the laptop's. No malloc, no libm, no recursion, no globals: every buffer is the caller's.
   docs/NUMERICS.md has each expression; equation numbers are those of math-for-dnn. */
#ifndef NNLITE_RUNTIME_H
#define NNLITE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

/* What a network is apart from its parameters. */
typedef struct {
    uint16_t layers;
    uint8_t hidden;        /* HiddenActivation of layout.py */
    uint8_t output;        /* OutputFunction of layout.py */
    const uint16_t *sizes; /* layers + 1: inputs, hidden..., outputs */
} nn_shape_t;

/* exp_log.c */
bool nn_is_finite(float x);
float nn_exp_f32(float x);
float nn_log_f32(float x);

/* sigmoid_tanh.c */
float nn_sigmoid_f32(float x);
float nn_tanh_f32(float x);

/* sqrt.c */
float nn_sqrt_f32(float x);

/* standardize.c: out[inputs]; out may be x */
void nn_standardize(const float *x, const float *mean, const float *scale, float *out, uint32_t inputs);

/* dense.c: x[inputs], weights[inputs][outputs], bias[outputs], out[outputs], dA[outputs], dX[inputs] */
void nn_dense_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                      uint32_t outputs);
void nn_dense_backward(const float *dA, const float *weights, const float *x, float *dX, uint32_t inputs,
                       uint32_t outputs);

/* activation.c: out may be a */
void nn_relu(const float *a, float *out, uint32_t n);

/* softmax.c: out may be a */
void nn_softmax(const float *a, float *out, uint32_t n);

/* loss.c: each returns the loss of one sample and fills dA[outputs] */
float nn_softmax_cross_entropy(const float *logits, uint32_t label, float *dA, uint32_t outputs);
float nn_mean_squared_error(const float *y, const float *y_hat, float *dA, uint32_t outputs);

/* optimizer.c: X and dA hold one record a sample, `x_stride` and `da_stride` floats apart. False when a new
   value is not finite. */
bool nn_sgd_update(float *weights, float *bias, const float *X, float *dA, float rate, uint32_t samples,
                   uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs);

/* step.c: the whole network. A sample's record X is x0 | x1 | ... | xN (xN the logits), its dA is dA1 | ... | dAN. */
uint32_t nn_parameter_count(const nn_shape_t *shape);
uint32_t nn_activation_count(const nn_shape_t *shape);
uint32_t nn_gradient_count(const nn_shape_t *shape);
const float *nn_forward(const nn_shape_t *shape, const float *parameters, float *a, float *b);
void nn_forward_record(const nn_shape_t *shape, const float *parameters, float *X);
float nn_backward(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t label,
                  const float *targets, float *dA);
bool nn_apply(const nn_shape_t *shape, float *parameters, const float *X, float *dA, uint32_t samples,
              float learning_rate);

#endif
