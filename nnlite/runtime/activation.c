#include "nnlite_runtime.h"

/* eq. 20: x_j = max(0, a_j), and +0 for both zeros. */
void nn_relu(const float *a, float *out, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++) {
        out[j] = a[j] > 0.0f ? a[j] : 0.0f;
    }
}
