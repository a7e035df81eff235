#include "train_rows.h"

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
