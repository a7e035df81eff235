#include "nnlite_runtime.h"

/* Slope of leaky ReLU below 0. */
#define LEAK 0.01f

/* eq. 20: x_j = max(0, a_j), and +0 for both zeros; NaN stays NaN. */
void nn_relu(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        out[j] = a[j] <= 0.0f ? 0.0f : a[j];
    }
}

/* x_j = a_j above 0, else 0.01 a_j, and +0 for both zeros. */
void nn_leaky_relu(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        out[j] = a[j] <= 0.0f ? a[j] * LEAK + 0.0f : a[j];
    }
}

/* x_j = 1 / (1 + e^-a_j). */
void nn_sigmoid(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        out[j] = nn_sigmoid_f32(a[j]);
    }
}

/* x_j = tanh a_j. */
void nn_tanh(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        out[j] = nn_tanh_f32(a[j]);
    }
}

/* One of the above, by its number. */
void nn_activate(const float *a, float *out, uint32_t activation, uint32_t n)
{
    switch (activation) {
    case NN_LEAKY_RELU:
        nn_leaky_relu(a, out, n);
        break;
    case NN_SIGMOID:
        nn_sigmoid(a, out, n);
        break;
    case NN_TANH:
        nn_tanh(a, out, n);
        break;
    default:
        nn_relu(a, out, n);
    }
}

/* eq. 21 for each activation: dx / da, from the output x alone. ReLU's x is above 0 where a is, and so is leaky
   ReLU's; sigmoid x (1 - x); tanh 1 - x^2. */
float nn_slope(float x, uint32_t activation)
{
    switch (activation) {
    case NN_LEAKY_RELU:
        return x > 0.0f ? 1.0f : LEAK;
    case NN_SIGMOID:
        return x * (1.0f - x);
    case NN_TANH:
        return 1.0f - x * x;
    default:
        return x > 0.0f ? 1.0f : 0.0f;
    }
}
