/* The loop around the runtime's functions, as the firmware and the laptop's kernels drive them. */
#ifndef TRAIN_ROWS_H
#define TRAIN_ROWS_H

#include "nnlite_runtime.h"

/* One epoch over the rows in the order they come, a step whenever `batch` of them are there, a last smaller one at the
   end. `labels` for softmax, `targets` for the others, `weights` may be 0. records[batch][activations],
   gradients[batch][gradients]. Returns as kernels/step.py, train_rows: the number of samples seen when a value was not
   finite, or -1. No float is an argument, so that every calling convention has them alike. */
int32_t train_rows(const nn_shape_t *shape, float *parameters, const float *X, const uint32_t *labels,
                   const float *targets, const float *weights, uint32_t samples, uint32_t batch, const nn_rule_t *rule,
                   float *state, float *records, float *gradients, float *losses);

#endif
