#include "loops.h"

#define SWEEP(function)                                                                                                \
    void sweep_##function(const float *x, uint32_t count, float *out)                                                  \
    {                                                                                                                  \
        for (uint32_t n = 0; n < count; n++) {                                                                         \
            out[n] = nn_##function(x[n]);                                                                              \
        }                                                                                                              \
    }

SWEEP(exp_f32)
SWEEP(log_f32)
SWEEP(sigmoid_f32)
SWEEP(tanh_f32)
SWEEP(sqrt_f32)

void infer_rows(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t samples, float *a, float *b,
                float *logits)
{
    uint32_t inputs = shape->sizes[0];
    uint32_t outputs = shape->sizes[shape->layers];
    for (uint32_t k = 0; k < samples; k++) {
        for (uint32_t i = 0; i < inputs; i++) {
            a[i] = X[k * inputs + i];
        }
        const float *result = nn_forward(shape, parameters, a, b);
        for (uint32_t j = 0; j < outputs; j++) {
            logits[k * outputs + j] = result[j];
        }
    }
}

uint32_t one_layer(float *weights, float *bias, const float *X, float *dA, const float *rate, uint32_t samples,
                   uint32_t inputs, uint32_t outputs, uint32_t activation, float *out, float *dX)
{
    nn_dense_forward(X, weights, bias, out, inputs, outputs);
    nn_dense_backward(dA, weights, X, dX, activation, inputs, outputs);
    return nn_sgd_update(weights, bias, X, dA, *rate, samples, inputs, outputs, inputs, outputs) ? 1 : 0;
}
