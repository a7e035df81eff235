#include "nnlite_runtime.h"

/* OutputFunction.SOFTMAX of layout.py; the firmware checks that its own table says the same. */
#define OUTPUT_SOFTMAX 1u

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

/* Inference: a holds the sample, a and b are of the widest layer's size and take turns. Returns the logits. */
const float *nn_forward(const nn_shape_t *shape, const float *parameters, float *a, float *b)
{
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        nn_dense_forward(a, parameters, parameters + inputs * outputs, b, inputs, outputs);
        if (n < shape->layers) {
            nn_relu(b, b, outputs);
        }
        parameters += inputs * outputs + outputs;
        float *last = a;
        a = b;
        b = last;
    }
    return a;
}

/* The same with every layer kept: X begins with the sample, the rest of the record is filled. */
void nn_forward_record(const nn_shape_t *shape, const float *parameters, float *X)
{
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        nn_dense_forward(X, parameters, parameters + inputs * outputs, X + inputs, inputs, outputs);
        if (n < shape->layers) {
            nn_relu(X + inputs, X + inputs, outputs);
        }
        parameters += inputs * outputs + outputs;
        X += inputs;
    }
}

/* Loss of one sample and all its dA, from the last layer down, with the parameters of before the step.
   dA of the inputs is never computed: nothing needs it. */
float nn_backward(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t label,
                  const float *targets, float *dA)
{
    uint32_t outputs = shape->sizes[shape->layers];
    const float *x = X + nn_activation_count(shape) - outputs;
    const float *weights = parameters + nn_parameter_count(shape);
    float *da = dA + nn_gradient_count(shape) - outputs;
    float loss = shape->output == OUTPUT_SOFTMAX ? nn_softmax_cross_entropy(x, label, da, outputs)
                                                 : nn_mean_squared_error(x, targets, da, outputs);
    for (uint32_t n = shape->layers; n > 1; n--) {
        uint32_t inputs = shape->sizes[n - 1];
        outputs = shape->sizes[n];
        weights -= inputs * outputs + outputs;
        x -= inputs;
        nn_dense_backward(da, weights, x, da - inputs, inputs, outputs);
        da -= inputs;
    }
    return loss;
}

/* Every layer's update from the records of `samples` samples. False when a new value is not finite. */
bool nn_apply(const nn_shape_t *shape, float *parameters, const float *X, float *dA, uint32_t samples,
              float learning_rate)
{
    bool finite = true;
    float rate = learning_rate / (float)samples;
    uint32_t x_stride = nn_activation_count(shape);
    uint32_t da_stride = nn_gradient_count(shape);
    for (uint32_t n = 1; n <= shape->layers; n++) {
        uint32_t inputs = shape->sizes[n - 1];
        uint32_t outputs = shape->sizes[n];
        bool layer = nn_sgd_update(parameters, parameters + inputs * outputs, X, dA, rate, samples, x_stride, da_stride,
                                   inputs, outputs);
        finite = finite && layer;
        parameters += inputs * outputs + outputs;
        X += inputs;
        dA += outputs;
    }
    return finite;
}
