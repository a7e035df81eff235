/* Loops around the runtime for the tests, as the firmware and the laptop's kernels drive it. */
#ifndef LOOPS_H
#define LOOPS_H

#include "nnlite_runtime.h"
#include "train_rows.h"

/* Logits of standardised samples: X[samples][inputs], logits[samples][outputs]; a and b of the widest layer's size. */
void infer_rows(const nn_shape_t *shape, const float *parameters, const float *X, uint32_t samples, float *a, float *b,
                float *logits);

/* One layer, its update by one sample or more included: the arguments of nn_dense_forward, nn_dense_backward and
   nn_sgd_update, whose rate comes by its address. Returns what the update does. X[samples][inputs],
   dA[samples][outputs], out[outputs] and dX[inputs] of the first sample. */
uint32_t one_layer(float *weights, float *bias, const float *X, float *dA, const float *rate, uint32_t samples,
                   uint32_t inputs, uint32_t outputs, uint32_t activation, float *out, float *dX);

#endif
