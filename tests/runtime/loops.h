/* Loops around the runtime for the tests, as the firmware and the laptop's kernels drive it. */
#ifndef LOOPS_H
#define LOOPS_H

#include "nnlite_runtime.h"

/* Logits of standardised samples: X[samples][inputs], logits[samples][outputs]; a and b of the widest layer's size. */
void infer_rows(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t samples, float *a, float *b,
                float *logits);

/* One epoch over the rows in the order they come, a step whenever `batch` of them are there, a last smaller one at the
   end. `labels` for softmax, `targets` for the others, `weights` may be 0. records[batch][activations],
   gradients[batch][gradients]. Returns as kernels/step.py, train_rows: the number of samples seen when a value was not
   finite, or -1. No float is an argument, so that every calling convention has them alike. */
int32_t train_rows(const nn_shape_t *shape, float *parameters, const float *X, const uint32_t *labels,
                   const float *targets, const float *weights, uint32_t samples, uint32_t batch, const nn_rule_t *rule,
                   float *state, float *records, float *gradients, float *losses);

/* One layer, its update by one sample or more included: the arguments of nn_dense_forward, nn_dense_backward and
   nn_sgd_update, whose rate comes by its address. Returns what the update does. X[samples][inputs],
   dA[samples][outputs], out[outputs] and dX[inputs] of the first sample. */
uint32_t one_layer(float *weights, float *bias, const float *X, float *dA, const float *rate, uint32_t samples,
                   uint32_t inputs, uint32_t outputs, uint32_t activation, float *out, float *dX);

#endif
