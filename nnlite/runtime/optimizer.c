#include "core.h"
#include "nnlite_runtime.h"

/* Everywhere g_ij = sum_k dA_jk x_ik over the samples k of a batch in ascending order, eq. 18 and 19; a bias has
   x = 1. What an optimiser keeps lies as the parameters do. */

/* nn_sgd_update for a batch. g starts from its first product instead of from +0 + product: that differs in the sign
   of a zero only, and w - (+0) and w - (-0) are the same bits, since no w is -0 (docs/NUMERICS.md, "Zeros"). */
static bool sgd_batch(float *weights, float *bias, const float *X, float *dA, float rate, uint32_t samples,
                      uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs)
{
    bool finite = true;
    for (uint32_t k = 0; k < samples; k++) {
        float *u = dA + k * da_stride;
        for (uint32_t j = 0; j < outputs; j++) {
            u[j] = u[j] * rate;
        }
    }
    for (uint32_t i = 0; i < inputs; i++) {
        float *row = weights + i * outputs;
        for (uint32_t j = 0; j < outputs; j++) {
            float g = dA[j] * X[i];
            for (uint32_t k = 1; k < samples; k++) {
                g = g + dA[k * da_stride + j] * X[k * x_stride + i];
            }
            row[j] = row[j] - g;
            finite = finite && nn_is_finite(row[j]);
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        float g = dA[j];
        for (uint32_t k = 1; k < samples; k++) {
            g = g + dA[k * da_stride + j];
        }
        bias[j] = bias[j] - g;
        finite = finite && nn_is_finite(bias[j]);
    }
    return finite;
}

/* Update rule: u_jk = dA_jk * rate, g_ij = sum_k u_jk x_ik over ascending k, w_ij = w_ij - g_ij. dA becomes u in place,
   or stays as it is where one sample makes the step: then nothing is stored but the parameters. */
bool nn_sgd_update(float *weights, float *bias, const float *X, float *dA, float rate, uint32_t samples,
                   uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs)
{
    if (samples == 1) {
        return core_step(weights, bias, X, dA, rate, inputs, outputs);
    }
    return sgd_batch(weights, bias, X, dA, rate, samples, x_stride, da_stride, inputs, outputs);
}

/* sum_k dA_k x_k. */
static float weight_gradient(const float *X, const float *dA, uint32_t samples, uint32_t x_stride, uint32_t da_stride)
{
    float g = 0.0f;
    for (uint32_t k = 0; k < samples; k++) {
        g = g + dA[k * da_stride] * X[k * x_stride];
    }
    return g;
}

static float bias_gradient(const float *dA, uint32_t samples, uint32_t da_stride)
{
    float g = 0.0f;
    for (uint32_t k = 0; k < samples; k++) {
        g = g + dA[k * da_stride];
    }
    return g;
}

/* total + sum g^2 of one layer, over its weights in their order, then its biases. */
float nn_gradient_square(const float *X, const float *dA, float total, uint32_t samples, uint32_t x_stride,
                         uint32_t da_stride, uint32_t inputs, uint32_t outputs)
{
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t j = 0; j < outputs; j++) {
            float g = weight_gradient(X + i, dA + j, samples, x_stride, da_stride);
            total = total + g * g;
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        float g = bias_gradient(dA + j, samples, da_stride);
        total = total + g * g;
    }
    return total;
}

/* Weight decay apart from the gradient (Loshchilov and Hutter, 2019): w = w - w * rate. No bias decays. */
void nn_decay_weights(float *weights, float rate, uint32_t inputs, uint32_t outputs)
{
    for (uint32_t n = 0; n < inputs * outputs; n++) {
        weights[n] = weights[n] - weights[n] * rate;
    }
}

static float momentum_step(float w, float g, float *velocity, float rate, float momentum)
{
    *velocity = momentum * *velocity + g;
    return w - rate * *velocity;
}

/* Momentum (Polyak): v = momentum * v + g * scale; w = w - rate * v. */
bool nn_momentum_update(float *weights, float *bias, const float *X, const float *dA, float *velocity, float scale,
                        float rate, float momentum, uint32_t samples, uint32_t x_stride, uint32_t da_stride,
                        uint32_t inputs, uint32_t outputs)
{
    bool finite = true;
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t j = 0; j < outputs; j++) {
            float g = weight_gradient(X + i, dA + j, samples, x_stride, da_stride) * scale;
            *weights = momentum_step(*weights, g, velocity, rate, momentum);
            finite = finite && nn_is_finite(*weights);
            weights++;
            velocity++;
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        float g = bias_gradient(dA + j, samples, da_stride) * scale;
        bias[j] = momentum_step(bias[j], g, velocity, rate, momentum);
        finite = finite && nn_is_finite(bias[j]);
        velocity++;
    }
    return finite;
}

static float adam_step(float w, float g, float *mean, float *square, float rate, const float *betas,
                       const float *powers, float epsilon)
{
    *mean = betas[0] * *mean + (1.0f - betas[0]) * g;
    *square = betas[1] * *square + ((1.0f - betas[1]) * g) * g;
    float corrected = *square / (1.0f - powers[1]);
    if (!nn_is_finite(corrected)) {
        return corrected; /* w would only stand still, and nobody would know */
    }
    return w - (rate * (*mean / (1.0f - powers[0]))) / (nn_sqrt_f32(corrected) + epsilon);
}

/* Adam (Kingma and Ba, 2015, algorithm 1): with h = g * scale, m = beta1 * m + (1 - beta1) * h;
   v = beta2 * v + ((1 - beta2) * h) * h; w = w - (rate * (m / (1 - beta1^t))) / (sqrt(v / (1 - beta2^t)) + epsilon).
   powers holds beta1^t and beta2^t, this step's included. A parameter whose
   v / (1 - beta2^t) is not finite takes that value itself. */
bool nn_adam_update(float *weights, float *bias, const float *X, const float *dA, float *mean, float *square,
                    float scale, float rate, const float *betas, const float *powers, float epsilon, uint32_t samples,
                    uint32_t x_stride, uint32_t da_stride, uint32_t inputs, uint32_t outputs)
{
    bool finite = true;
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t j = 0; j < outputs; j++) {
            float g = weight_gradient(X + i, dA + j, samples, x_stride, da_stride) * scale;
            *weights = adam_step(*weights, g, mean, square, rate, betas, powers, epsilon);
            finite = finite && nn_is_finite(*weights);
            weights++;
            mean++;
            square++;
        }
    }
    for (uint32_t j = 0; j < outputs; j++) {
        float g = bias_gradient(dA + j, samples, da_stride) * scale;
        bias[j] = adam_step(bias[j], g, mean, square, rate, betas, powers, epsilon);
        finite = finite && nn_is_finite(bias[j]);
        mean++;
        square++;
    }
    return finite;
}
