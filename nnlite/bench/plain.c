/* step.c for one network whose sizes the compiler knows, as plain loops laid out for a laptop: weights are read in the
   order in which they lie, and what is summed side by side are outputs, so that compilers use SIMD. The same sums in
   the same order, so the same bits; ReLU and SGD alone. network.h is written for each network. */
#include "bits.h"
#include "network.h"
#include "nnlite_runtime.h"

/* Sums of the way back that advance side by side. */
#define ROWS 8u

/* Only inside its caller does a layer know its sizes. */
#define LAYER static inline __attribute__((always_inline))

uint32_t nn_activation_count(const nn_shape_t *shape)
{
    (void)shape;
    return ACTIVATIONS;
}

uint32_t nn_gradient_count(const nn_shape_t *shape)
{
    (void)shape;
    return GRADIENTS;
}

LAYER void layer_forward(const float *restrict x, const float *restrict weights, float *restrict out, uint32_t inputs,
                         uint32_t outputs, bool hidden)
{
    for (uint32_t j = 0; j < outputs; j++) {
        out[j] = weights[inputs * outputs + j];
    }
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t j = 0; j < outputs; j++) {
            out[j] = out[j] + weights[i * outputs + j] * x[i];
        }
    }
    if (hidden) {
        for (uint32_t j = 0; j < outputs; j++) {
            out[j] = out[j] <= 0.0f ? 0.0f : out[j];
        }
    }
}

LAYER void layer_backward(const float *restrict dA, const float *restrict weights, const float *restrict x,
                          float *restrict dX, uint32_t inputs, uint32_t outputs)
{
    uint32_t i = 0;
    for (; i + ROWS <= inputs; i += ROWS) {
        float sums[ROWS] = {0.0f};
        for (uint32_t j = 0; j < outputs; j++) {
            for (uint32_t r = 0; r < ROWS; r++) {
                sums[r] = sums[r] + dA[j] * weights[(i + r) * outputs + j];
            }
        }
        for (uint32_t r = 0; r < ROWS; r++) {
            dX[i + r] = is_positive(x[i + r]) ? sums[r] : 0.0f;
        }
    }
    for (; i < inputs; i++) {
        float sum = 0.0f;
        for (uint32_t j = 0; j < outputs; j++) {
            sum = sum + dA[j] * weights[i * outputs + j];
        }
        dX[i] = is_positive(x[i]) ? sum : 0.0f;
    }
}

/* The step of one sample. */
LAYER void layer_step_one(float *restrict weights, const float *restrict x, const float *restrict u, uint32_t inputs,
                          uint32_t outputs)
{
    float g[WIDEST];
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t j = 0; j < outputs; j++) {
            g[j] = u[j] * x[i];
        }
        for (uint32_t j = 0; j < outputs; j++) {
            weights[i * outputs + j] = weights[i * outputs + j] - g[j];
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        weights[inputs * outputs + j] = weights[inputs * outputs + j] - u[j];
    }
}

/* The step of a batch: sample by sample into the gradient of the layer, from +0, then that into the parameters. */
LAYER void layer_step(float *restrict weights, const float *restrict X, const float *restrict U, uint32_t samples,
                      uint32_t inputs, uint32_t outputs)
{
    static float g[LARGEST];
    for (uint32_t n = 0; n < inputs * outputs + outputs; n++) {
        g[n] = 0.0f;
    }
    for (uint32_t k = 0; k < samples; k++) {
        for (uint32_t i = 0; i < inputs; i++) {
            for (uint32_t j = 0; j < outputs; j++) {
                g[i * outputs + j] = g[i * outputs + j] + U[k * GRADIENTS + j] * X[k * ACTIVATIONS + i];
            }
        }
        for (uint32_t j = 0; j < outputs; j++) {
            g[inputs * outputs + j] = g[inputs * outputs + j] + U[k * GRADIENTS + j];
        }
    }
    for (uint32_t n = 0; n < inputs * outputs + outputs; n++) {
        weights[n] = weights[n] - g[n];
    }
}

void nn_forward_record(const nn_shape_t *shape, const float *parameters, float *X)
{
    (void)shape;
#define FORWARD(x, w, da, inputs, outputs, hidden)                                                                     \
    layer_forward(X + (x), parameters + (w), X + (x) + (inputs), inputs, outputs, hidden);
    EACH_LAYER(FORWARD)
}

float nn_backward(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t label,
                  const float *targets, float weight, float *dA)
{
    const float *y = X + ACTIVATIONS - OUTPUTS;
    float *last = dA + GRADIENTS - OUTPUTS;
    float loss =
        SOFTMAX ? nn_softmax_cross_entropy(y, label, last, OUTPUTS) : nn_mean_squared_error(y, targets, last, OUTPUTS);
    (void)shape;
    (void)weight; /* 1 */
#define BACKWARD(x, w, da, inputs, outputs, hidden)                                                                    \
    layer_backward(dA + (da), parameters + (w), X + (x), dA + (da) - (inputs), inputs, outputs);
    EACH_LAYER_BACK(BACKWARD)
    return loss;
}

/* Whether what was learned is finite shows at the next sample's outputs. */
bool nn_apply(const nn_shape_t *shape, float *parameters, const float *X, float *dA, const nn_rule_t *rule,
              float *state, uint32_t samples)
{
    float rate = rule->learning_rate / (float)samples;
    (void)shape;
    (void)state;
    for (uint32_t n = 0; n < samples * GRADIENTS; n++) {
        dA[n] = dA[n] * rate;
    }
#define STEP_ONE(x, w, da, inputs, outputs, hidden)                                                                    \
    layer_step_one(parameters + (w), X + (x), dA + (da), inputs, outputs);
#define STEP(x, w, da, inputs, outputs, hidden)                                                                        \
    layer_step(parameters + (w), X + (x), dA + (da), samples, inputs, outputs);
    if (samples == 1) {
        EACH_LAYER(STEP_ONE)
    } else {
        EACH_LAYER(STEP)
    }
    return true;
}
