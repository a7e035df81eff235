/* A model as it lies in flash (docs/FORMAT.md, "Image"); the chip's side of nnlite/image.py. */
#ifndef NNLITE_IMAGE_H
#define NNLITE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../runtime/nnlite_runtime.h"

/* Pointers into an image that passed every check. */
typedef struct {
    nn_shape_t shape;
    const float *mean; /* inputs floats; null without a standardiser */
    const float *scale;
    const float *parameters;
    uint32_t parameter_count;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t widest; /* the largest of all sizes */
} image_t;

/* Check `length` bytes, aligned to 4, in the order of docs/FORMAT.md. Returns 0 and fills `image`,
   or the IMAGE_FAULT_ of the first check that failed. */
uint8_t image_parse(const uint8_t *bytes, uint32_t length, image_t *image);

/* Arena bytes that inference needs: two buffers of the widest layer. */
uint32_t image_inference_bytes(const image_t *image);

/* Arena bytes that learning needs (a copy of the parameters; inputs, activations and dA of each sample
   of a batch; the targets of a linear network), or UINT32_MAX when the sum leaves 32 bits. */
uint32_t image_learning_bytes(const image_t *image, uint32_t batch_size);

#endif
