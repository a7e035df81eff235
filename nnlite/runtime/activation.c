#include "bits.h"
#include "nnlite_runtime.h"
#include "slope.h"

/* eq. 20: x_j = max(0, a_j), and +0 for both zeros; NaN stays NaN. By the bits, since a core without floats has no
   comparison of them, and one with floats must fetch its result: -0 to -inf are 0x80000000 to 0xFF800000. */
void nn_relu(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        uint32_t bits = bits_of_float(a[j]);
        out[j] = float_of_bits(bits - 0x80000000u <= 0x7F800000u ? 0 : bits);
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

float nn_slope(float x, uint32_t activation)
{
    return slope_of(x, activation);
}
