#include "nnlite_runtime.h"

/* eq. 2 and 17: dA_j = y_j - y_hat_j with y = softmax(a). The loss comes from the logits, log(sum e^(a_j - max))
   - (a_label - max): log(y) would be lost where y underflows. */
float nn_softmax_cross_entropy(const float *logits, uint32_t label, float *dA, uint32_t outputs)
{
    float largest = logits[0];
    for (uint32_t j = 1; j < outputs; j++) {
        if (logits[j] > largest) {
            largest = logits[j];
        }
    }
    float sum = 0.0f;
    for (uint32_t j = 0; j < outputs; j++) {
        dA[j] = nn_exp_f32(logits[j] - largest);
        sum = sum + dA[j];
    }
    for (uint32_t j = 0; j < outputs; j++) {
        dA[j] = dA[j] / sum;
    }
    dA[label] = dA[label] - 1.0f;
    return nn_log_f32(sum) - (logits[label] - largest);
}

/* Independent sigmoid outputs: dA_j = y_j - y_hat_j with y = sigmoid(a). The loss comes from the logits, sum_j
   (max(a_j, 0) - a_j y_hat_j) + log(1 + e^-|a_j|) from +0 over ascending j. */
float nn_binary_cross_entropy(const float *logits, const float *y_hat, float *dA, uint32_t outputs)
{
    float sum = 0.0f;
    for (uint32_t j = 0; j < outputs; j++) {
        float a = logits[j];
        float positive = a > 0.0f ? a : 0.0f;
        float power = nn_exp_f32(a > 0.0f ? -a : a);
        sum = sum + ((positive - a * y_hat[j]) + nn_log_f32(1.0f + power));
        dA[j] = nn_sigmoid_f32(a) - y_hat[j];
    }
    return sum;
}

/* 1/2 sum_j (y_j - y_hat_j)^2 from +0 over ascending j, so that dA_j = y_j - y_hat_j here too. */
float nn_mean_squared_error(const float *y, const float *y_hat, float *dA, uint32_t outputs)
{
    float sum = 0.0f;
    for (uint32_t j = 0; j < outputs; j++) {
        dA[j] = y[j] - y_hat[j];
        sum = sum + dA[j] * dA[j];
    }
    return 0.5f * sum;
}
