#include "bits.h"
#include "nnlite_runtime.h"

/* Floats of Adam's state in front of its two moments: beta1^t and beta2^t. */
#define POWERS 2u

uint32_t nn_parameter_count(const nn_shape_t *shape)
{
    uint32_t count = 0;
    for (uint32_t n = 1; n <= shape->layers; n++) {
        count += (uint32_t)shape->sizes[n - 1] * shape->sizes[n] + shape->sizes[n];
    }
    return count;
}

uint32_t nn_activation_count(const nn_shape_t *shape)
{
    return shape->sizes[0] + nn_gradient_count(shape);
}

uint32_t nn_gradient_count(const nn_shape_t *shape)
{
    uint32_t count = 0;
    for (uint32_t n = 1; n <= shape->layers; n++) {
        count += shape->sizes[n];
    }
    return count;
}

uint32_t nn_state_count(const nn_shape_t *shape, uint32_t optimizer)
{
    switch (optimizer) {
    case NN_MOMENTUM:
        return nn_parameter_count(shape);
    case NN_ADAM:
        return POWERS + 2 * nn_parameter_count(shape);
    default:
        return 0;
    }
}

/* What an optimiser keeps before its first step: nothing yet, and beta^0. */
void nn_begin_state(float *state, uint32_t optimizer, uint32_t n)
{
    for (uint32_t at = 0; at < n; at++) {
        state[at] = optimizer == NN_ADAM && at < POWERS ? 1.0f : 0.0f;
    }
}

/* What the first `layers` layers make of a sample, all of them with their activation. a holds the sample; a and b
   take turns: x0, x2, ... lie in a, x1, x3, ... in b. Returns the buffer that holds it. */
float *nn_features(const nn_shape_t *shape, const float *parameters, float *a, float *b, uint32_t layers)
{
    for (uint32_t n = 1; n <= layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        nn_dense_forward(a, parameters, parameters + inputs * outputs, b, inputs, outputs);
        nn_activate(b, b, shape->hidden, outputs);
        parameters += inputs * outputs + outputs;
        float *last = a;
        a = b;
        b = last;
    }
    return a;
}

/* Inference: a holds the sample; a and b take turns, each of its widest layer's size. Returns the logits. */
const float *nn_forward(const nn_shape_t *shape, const float *parameters, float *a, float *b)
{
    uint32_t inputs = shape->sizes[shape->layers - 1];
    uint32_t outputs = shape->sizes[shape->layers];
    const float *weights = parameters + nn_parameter_count(shape) - (inputs * outputs + outputs);
    float *x = nn_features(shape, parameters, a, b, shape->layers - 1u);
    float *out = x == a ? b : a;
    nn_dense_forward(x, weights, weights + inputs * outputs, out, inputs, outputs);
    return out;
}

/* The same with every layer kept: X begins with the sample, the rest of the record is filled. */
void nn_forward_record(const nn_shape_t *shape, const float *parameters, float *X)
{
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        nn_dense_forward(X, parameters, parameters + inputs * outputs, X + inputs, inputs, outputs);
        if (n < shape->layers) {
            nn_activate(X + inputs, X + inputs, shape->hidden, outputs);
        }
        parameters += inputs * outputs + outputs;
        X += inputs;
    }
}

/* Loss of one sample and all its dA, from the last layer down, with the parameters of before the step. `weight` is
   the sample's. dA of the inputs is never computed: nothing needs it. */
float nn_backward(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t label,
                  const float *targets, float weight, float *dA)
{
    uint32_t outputs = shape->sizes[0];
    const float *x = X;
    const float *weights = parameters;
    float loss;
    for (uint32_t n = 1; n <= shape->layers; n++) {
        x += outputs;
        weights += outputs * shape->sizes[n] + shape->sizes[n];
        outputs = shape->sizes[n];
    }
    float *da = dA + (x - X) - shape->sizes[0];
    switch (shape->output) {
    case NN_SOFTMAX:
        loss = nn_softmax_cross_entropy(x, label, da, outputs);
        break;
    case NN_SIGMOID_OUTPUT:
        loss = nn_binary_cross_entropy(x, targets, da, outputs);
        break;
    default:
        loss = nn_mean_squared_error(x, targets, da, outputs);
    }
    if (bits_of_float(weight) != 0x3F800000u) { /* times 1 would change no bit */
        for (uint32_t j = 0; j < outputs; j++) {
            da[j] = da[j] * weight;
        }
    }
    for (uint32_t n = shape->layers; n > 1; n--) {
        uint32_t inputs = shape->sizes[n - 1];
        outputs = shape->sizes[n];
        weights -= inputs * outputs + outputs;
        x -= inputs;
        nn_dense_backward(da, weights, x, da - inputs, shape->hidden, inputs, outputs);
        da -= inputs;
    }
    return loss * weight;
}

/* What the gradient of a batch is to be multiplied with: 1 unless it is clipped, NaN when its norm leaves float32. */
__attribute__((noinline)) static float clipping(const nn_shape_t *shape, const float *X, const float *dA,
                                                float clip_norm, uint32_t samples)
{
    if (!is_positive(clip_norm)) {
        return 1.0f;
    }
    uint32_t x_stride = nn_activation_count(shape);
    uint32_t da_stride = nn_gradient_count(shape);
    float total = 0.0f;
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        total = nn_gradient_square(X, dA, total, samples, x_stride, da_stride, inputs, outputs);
        X += inputs;
        dA += outputs;
    }
    float norm = nn_sqrt_f32(total) / (float)samples;
    if (!nn_is_finite(norm)) {
        return norm - norm;
    }
    return norm > clip_norm ? clip_norm / norm : 1.0f;
}

__attribute__((noinline)) static void decay(const nn_rule_t *rule, float *weights, uint32_t inputs, uint32_t outputs)
{
    nn_decay_weights(weights, rule->learning_rate * rule->weight_decay, inputs, outputs);
}

/* nn_apply with momentum or Adam. Apart from it, so that a step with SGD does not take the stack of these. */
__attribute__((noinline)) static bool apply_with_state(const nn_shape_t *shape, float *parameters, const float *X,
                                                       const float *dA, const nn_rule_t *rule, float *state,
                                                       uint32_t samples)
{
    bool finite = true;
    float scale = clipping(shape, X, dA, rule->clip_norm, samples) / (float)samples;
    if (!nn_is_finite(scale)) {
        return false;
    }
    float *mean = state;
    float *square = state;
    if (rule->optimizer == NN_ADAM) {
        for (uint32_t n = 0; n < POWERS; n++) {
            state[n] = state[n] * rule->betas[n];
        }
        mean = state + POWERS;
        square = mean + nn_parameter_count(shape);
    }
    uint32_t da_stride = nn_gradient_count(shape);
    uint32_t x_stride = da_stride + shape->sizes[0];
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        float *bias = parameters + inputs * outputs;
        bool layer;
        if (is_positive(rule->weight_decay)) {
            decay(rule, parameters, inputs, outputs);
        }
        if (rule->optimizer == NN_MOMENTUM) {
            layer = nn_momentum_update(parameters, bias, X, dA, mean, scale, rule->learning_rate, rule->betas[0],
                                       samples, x_stride, da_stride, inputs, outputs);
        } else {
            layer = nn_adam_update(parameters, bias, X, dA, mean, square, scale, rule->learning_rate, rule->betas,
                                   state, rule->epsilon, samples, x_stride, da_stride, inputs, outputs);
        }
        finite = finite && layer;
        parameters = bias + outputs;
        mean += inputs * outputs + outputs;
        square += inputs * outputs + outputs;
        X += inputs;
        dA += outputs;
    }
    return finite;
}

/* What each dA is multiplied with; NaN when the gradient is to be clipped and its norm leaves float32. */
__attribute__((noinline)) static float sgd_rate(const nn_shape_t *shape, const float *X, const float *dA,
                                                const nn_rule_t *rule, uint32_t samples)
{
    return (rule->learning_rate / (float)samples) * clipping(shape, X, dA, rule->clip_norm, samples);
}

/* Every layer's update from the records of `samples` samples. False when a new value is not finite; if the
   gradient's norm is not, nothing has changed. */
bool nn_apply(const nn_shape_t *shape, float *parameters, const float *X, float *dA, const nn_rule_t *rule,
              float *state, uint32_t samples)
{
    if (rule->optimizer != NN_SGD) {
        return apply_with_state(shape, parameters, X, dA, rule, state, samples);
    }
    bool finite = true;
    float rate = rule->learning_rate;
    uint32_t da_stride = samples == 1 ? 0 : nn_gradient_count(shape); /* from one record to the next */
    if (samples != 1 || is_positive(rule->clip_norm)) {               /* else over 1, times 1 */
        rate = sgd_rate(shape, X, dA, rule, samples);
        if (!nn_is_finite(rate)) {
            return false;
        }
    }
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        float *bias = parameters + inputs * outputs;
        if (is_positive(rule->weight_decay)) {
            decay(rule, parameters, inputs, outputs);
        }
        finite = nn_sgd_update(parameters, bias, X, dA, rate, samples, da_stride + shape->sizes[0], da_stride, inputs,
                               outputs) &&
                 finite;
        parameters = bias + outputs;
        X += inputs;
        dA += outputs;
    }
    return finite;
}
