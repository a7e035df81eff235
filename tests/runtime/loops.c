/* Loops around the runtime for the tests: many inputs in one call, and a training run as the firmware drives it. */
#include "nnlite_runtime.h"

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

void infer(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t samples, float *a, float *b,
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

/* Rows in the order they come, a step whenever `batch` of them are there, a last smaller one at the end. */
bool learn(const nn_shape_t *shape, float *parameters, const float *X, const uint32_t *labels, const float *targets,
           uint32_t samples, uint32_t batch, float learning_rate, float *records, float *gradients, float *losses)
{
    uint32_t inputs = shape->sizes[0];
    uint32_t outputs = shape->sizes[shape->layers];
    uint32_t filled = 0;
    bool finite = true;
    for (uint32_t k = 0; k < samples; k++) {
        float *record = records + filled * nn_activation_count(shape);
        for (uint32_t i = 0; i < inputs; i++) {
            record[i] = X[k * inputs + i];
        }
        nn_forward_record(shape, parameters, record);
        losses[k] = nn_backward(shape, parameters, record, labels[k], targets + k * outputs,
                                gradients + filled * nn_gradient_count(shape));
        filled++;
        if (filled == batch || k + 1 == samples) {
            finite = nn_apply(shape, parameters, records, gradients, filled, learning_rate) && finite;
            filled = 0;
        }
    }
    return finite;
}
