/* A model as it lies in flash (docs/FORMAT.md, "Image"); the chip's side of nnlite/image.py. */
#ifndef NNLITE_IMAGE_H
#define NNLITE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../runtime/nnlite_runtime.h"

/* Floats of the two buffers that layers take turns in: x0, x2, ... lie in the first, x1, x3, ... in the second. */
typedef struct {
    uint32_t first;
    uint32_t second;
} buffers_t;

/* For the first `layers` layers of a network. */
buffers_t image_buffers(const uint16_t *sizes, uint32_t layers);

/* Pointers into an image that passed every check. */
typedef struct {
    nn_shape_t shape;
    const float *mean; /* inputs floats; null without a standardiser */
    const float *scale;
    const float *parameters;
    uint32_t parameter_count;
    uint32_t inputs;
    uint32_t outputs;
    buffers_t buffers;
} image_t;

/* Check `length` bytes, aligned to 4, in the order of docs/FORMAT.md. Returns 0 and fills `image`,
   or the IMAGE_FAULT_ of the first check that failed. */
uint8_t image_parse(const uint8_t *bytes, uint32_t length, image_t *image);

/* Arena bytes that inference needs: the two buffers. */
uint32_t image_inference_bytes(const image_t *image);

/* What of a learning run its memory depends on. */
typedef struct {
    uint32_t batch_size;
    uint32_t optimizer;
    uint32_t last_layers; /* how many are trained; 0 for all */
    bool keep;            /* parameters may be set aside */
} learning_t;

/* The layers that are trained, as a network of their own; what the others make of a sample is its input. */
nn_shape_t image_trained(const image_t *image, uint32_t last_layers);

/* Arena bytes that learning needs (a copy of the trained parameters, and another one to keep; what the optimiser
   keeps; inputs, activations and dA of each sample of a batch; targets where the output is not softmax; the two
   buffers of the layers in front of the trained ones), or UINT32_MAX when the sum leaves 32 bits. */
uint32_t image_learning_bytes(const image_t *image, const learning_t *learning);

#endif
