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

int32_t train_rows(const nn_shape_t *shape, float *parameters, const float *X, const uint32_t *labels,
                   const float *targets, const float *weights, uint32_t samples, uint32_t batch, const nn_rule_t *rule,
                   float *state, float *records, float *gradients, float *losses)
{
    uint32_t inputs = shape->sizes[0];
    uint32_t outputs = shape->sizes[shape->layers];
    uint32_t activations = nn_activation_count(shape);
    uint32_t filled = 0;
    for (uint32_t k = 0; k < samples; k++) {
        float *record = records + filled * activations;
        for (uint32_t i = 0; i < inputs; i++) {
            record[i] = X[k * inputs + i];
        }
        nn_forward_record(shape, parameters, record);
        for (uint32_t j = activations - outputs; j < activations; j++) {
            if (!nn_is_finite(record[j])) {
                return (int32_t)k;
            }
        }
        uint32_t label = shape->output == NN_SOFTMAX ? labels[k] : 0;
        const float *target = shape->output == NN_SOFTMAX ? targets : targets + k * outputs;
        float weight = weights != 0 ? weights[k] : 1.0f;
        float *dA = gradients + filled * nn_gradient_count(shape);
        losses[k] = nn_backward(shape, parameters, record, label, target, weight, dA);
        filled++;
        if (filled == batch || k + 1 == samples) {
            if (!nn_apply(shape, parameters, records, gradients, rule, state, filled)) {
                return (int32_t)k;
            }
            filled = 0;
        }
    }
    return -1;
}

uint32_t one_layer(float *weights, float *bias, const float *X, float *dA, const float *rate, uint32_t samples,
                   uint32_t inputs, uint32_t outputs, uint32_t activation, float *out, float *dX)
{
    nn_dense_forward(X, weights, bias, out, inputs, outputs);
    nn_dense_backward(dA, weights, X, dX, activation, inputs, outputs);
    return nn_sgd_update(weights, bias, X, dA, *rate, samples, inputs, outputs, inputs, outputs) ? 1 : 0;
}
