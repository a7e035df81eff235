/* The arithmetic of nnlite in C99: the mirror of nnlite/kernels, file by file and name by name.

   binary32 only, no fused operations (compile with -ffp-contract=off), every sum in one written order, so that
   the bits are the laptop's. No malloc, no libm, no recursion, no globals: every buffer is the caller's.
   docs/NUMERICS.md has each expression; equation numbers are those of math-for-dnn. */
#ifndef NNLITE_RUNTIME_H
#define NNLITE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers of an image and of the link; the firmware checks that its own tables say the same. */
enum { NN_RELU = 1, NN_LEAKY_RELU = 2, NN_SIGMOID = 3, NN_TANH = 4 };
enum { NN_LINEAR = 0, NN_SOFTMAX = 1, NN_SIGMOID_OUTPUT = 2 };
enum { NN_SGD = 0, NN_MOMENTUM = 1, NN_ADAM = 2 };

/* What a network is apart from its parameters. */
typedef struct {
    uint16_t layers;
    uint8_t hidden;        /* NN_RELU ... */
    uint8_t output;        /* NN_LINEAR ... */
    const uint16_t *sizes; /* layers + 1: inputs, hidden..., outputs */
} nn_shape_t;

/* How a step changes the parameters. */
typedef struct {
    uint32_t optimizer; /* NN_SGD ... */
    float learning_rate;
    float betas[2];     /* momentum, or beta1 and beta2 of Adam */
    float epsilon;      /* of Adam */
    float weight_decay; /* 0 for none */
    float clip_norm;    /* longest gradient; 0 for any */
} nn_rule_t;

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
void nn_dense_backward(const float *dA, const float *weights, const float *x, float *dX, uint32_t activation,
                       uint32_t inputs, uint32_t outputs);

/* activation.c: out may be a */
void nn_relu(const float *a, float *out, uint32_t n);
void nn_leaky_relu(const float *a, float *out, uint32_t n);
void nn_sigmoid(const float *a, float *out, uint32_t n);
void nn_tanh(const float *a, float *out, uint32_t n);
void nn_activate(const float *a, float *out, uint32_t activation, uint32_t n);
float nn_slope(float x, uint32_t activation);

/* softmax.c: out may be a */
void nn_softmax(const float *a, float *out, uint32_t n);

/* loss.c: each returns the loss of one sample and fills dA[outputs] */
float nn_softmax_cross_entropy(const float *logits, uint32_t label, float *dA, uint32_t outputs);
float nn_binary_cross_entropy(const float *logits, const float *y_hat, float *dA, uint32_t outputs);
float nn_mean_squared_error(const float *y, const float *y_hat, float *dA, uint32_t outputs);

/* optimizer.c: X and dA hold one record a sample, `x_stride` and `da_stride` floats apart. False when a new
   value is not finite. */
bool nn_sgd_update(float *weights, float *bias, const float *X, float *dA, float rate, uint32_t samples,
                   uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs);

float nn_gradient_square(const float *X, const float *dA, float total, uint32_t samples, uint32_t x_stride,
                         uint32_t da_stride, uint32_t inputs, uint32_t outputs);
void nn_decay_weights(float *weights, float rate, uint32_t inputs, uint32_t outputs);
bool nn_momentum_update(float *weights, float *bias, const float *X, const float *dA, float *velocity, float scale,
                        float rate, float momentum, uint32_t samples, uint32_t x_stride, uint32_t da_stride,
                        uint32_t inputs, uint32_t outputs);
bool nn_adam_update(float *weights, float *bias, const float *X, const float *dA, float *mean, float *square,
                    float scale, float rate, const float *betas, const float *powers, float epsilon, uint32_t samples,
                    uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs);

/* step.c: the whole network. A sample's record X is x0 | x1 | ... | xN (xN the logits), its dA is dA1 | ... | dAN. */
uint32_t nn_parameter_count(const nn_shape_t *shape);
uint32_t nn_activation_count(const nn_shape_t *shape);
uint32_t nn_gradient_count(const nn_shape_t *shape);
uint32_t nn_state_count(const nn_shape_t *shape, uint32_t optimizer);
void nn_begin_state(float *state, uint32_t optimizer, uint32_t n);
float *nn_features(const nn_shape_t *shape, const float *parameters, float *a, float *b, uint32_t layers);
const float *nn_forward(const nn_shape_t *shape, const float *parameters, float *a, float *b);
void nn_forward_record(const nn_shape_t *shape, const float *parameters, float *X);
float nn_backward(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t label,
                  const float *targets, float weight, float *dA);
bool nn_apply(const nn_shape_t *shape, float *parameters, const float *X, float *dA, const nn_rule_t *rule,
              float *state, uint32_t samples);

#endif
