#include "nnlite_runtime.h"

/* eq. 4 with the maximum subtracted, which leaves the result as it is and keeps e^x from overflowing:
   y_j = e^(a_j - max) / sum_j e^(a_j - max), the sum from +0 over ascending j. */
void nn_softmax(const float *a, float *out, uint32_t n)
{
    float largest = a[0];
    for (uint32_t j = 1; j < n; j++) {
        if (a[j] > largest) {
            largest = a[j];
        }
    }
    float sum = 0.0f;
    for (uint32_t j = 0; j < n; j++) {
        out[j] = nn_exp_f32(a[j] - largest);
        sum = sum + out[j];
    }
    for (uint32_t j = 0; j < n; j++) {
        out[j] = out[j] / sum;
    }
}
