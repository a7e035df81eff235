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
   keeps; inputs, activations and dA of each sample of a batch; targets where the output is not softmax; two buffers
   of the widest layer in front of the trained ones), or UINT32_MAX when the sum leaves 32 bits. */
uint32_t image_learning_bytes(const image_t *image, const learning_t *learning);

#endif
