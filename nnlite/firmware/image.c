#include "image.h"

#include "bytes.h"
#include "wire.h"

typedef struct {
    uint32_t magic;
    uint8_t format;
    uint8_t layers;
    uint8_t hidden;
    uint8_t output;
    uint8_t parameter_type;
    uint8_t flags;
    uint16_t metadata_length;
    uint32_t parameter_count;
} image_header_t;

STATIC_ASSERT(NN_RELU == (int)HIDDEN_ACTIVATION_RELU && NN_LEAKY_RELU == (int)HIDDEN_ACTIVATION_LEAKY_RELU &&
                  NN_SIGMOID == (int)HIDDEN_ACTIVATION_SIGMOID && NN_TANH == (int)HIDDEN_ACTIVATION_TANH,
              activations);
STATIC_ASSERT(NN_LINEAR == (int)OUTPUT_FUNCTION_LINEAR && NN_SOFTMAX == (int)OUTPUT_FUNCTION_SOFTMAX &&
                  NN_SIGMOID_OUTPUT == (int)OUTPUT_FUNCTION_SIGMOID,
              outputs);
STATIC_ASSERT(sizeof(image_header_t) == IMAGE_HEADER_LENGTH, image_header);

static bool all_finite(const float *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!nn_is_finite(values[i])) {
            return false;
        }
    }
    return true;
}

uint8_t image_parse(const uint8_t *bytes, uint32_t length, image_t *image)
{
    const image_header_t *header = (const image_header_t *)(const void *)bytes;
    const uint16_t *sizes = (const uint16_t *)(const void *)(bytes + IMAGE_HEADER_LENGTH);

    if (length < IMAGE_HEADER_LENGTH + 4 || length % 4 != 0) {
        return IMAGE_FAULT_LENGTH;
    }
    if (header->magic != IMAGE_MAGIC) {
        return IMAGE_FAULT_MAGIC;
    }
    if (header->format != IMAGE_FORMAT) {
        return IMAGE_FAULT_FORMAT;
    }
    if (header->layers < 1 || header->layers > MAX_LAYERS) {
        return IMAGE_FAULT_LAYERS;
    }
    if (header->hidden < HIDDEN_ACTIVATION_RELU || header->hidden > HIDDEN_ACTIVATION_TANH) {
        return IMAGE_FAULT_HIDDEN;
    }
    if (header->output > OUTPUT_FUNCTION_SIGMOID) {
        return IMAGE_FAULT_OUTPUT;
    }
    if (header->parameter_type != PARAMETER_TYPE_FLOAT32) {
        return IMAGE_FAULT_PARAMETER_TYPE;
    }
    if ((header->flags & ~(unsigned)IMAGE_FLAG_STANDARDISER) != 0) {
        return IMAGE_FAULT_FLAGS;
    }

    uint32_t layers = header->layers;
    uint32_t sizes_bytes = (2 * (layers + 1) + 3) & ~3u;
    if (length - IMAGE_HEADER_LENGTH < sizes_bytes) {
        return IMAGE_FAULT_LENGTH;
    }
    uint32_t count = 0;
    for (uint32_t n = 0; n <= layers; n++) {
        if (sizes[n] == 0) {
            return IMAGE_FAULT_SIZE;
        }
    }
    if (sizes_bytes > 2 * (layers + 1) && sizes[layers + 1] != 0) {
        return IMAGE_FAULT_PADDING;
    }
    for (uint32_t n = 1; n <= layers; n++) {
        /* at most 65535 * 65535 + 65535, which 32 bits hold; their sum they may not */
        uint32_t layer = (uint32_t)sizes[n - 1] * sizes[n] + sizes[n];
        if (layer > UINT32_MAX - count) {
            return IMAGE_FAULT_PARAMETER_COUNT;
        }
        count += layer;
    }
    if (count != header->parameter_count) {
        return IMAGE_FAULT_PARAMETER_COUNT;
    }

    /* What is left of the length, less each part in turn: nothing here can overflow. */
    uint32_t rest = length - IMAGE_HEADER_LENGTH - sizes_bytes;
    uint32_t inputs = sizes[0];
    bool standardised = (header->flags & IMAGE_FLAG_STANDARDISER) != 0;
    uint32_t standardiser_bytes = standardised ? 8 * inputs : 0;
    uint32_t metadata_bytes = (header->metadata_length + 3u) & ~3u;
    if (rest < standardiser_bytes || (rest - standardiser_bytes) / 4 < count ||
        rest - standardiser_bytes - 4 * count != metadata_bytes) {
        return IMAGE_FAULT_LENGTH;
    }
    const float *floats = (const float *)(const void *)(bytes + IMAGE_HEADER_LENGTH + sizes_bytes);
    if (!all_finite(floats, standardiser_bytes / 4 + count)) {
        return IMAGE_FAULT_NON_FINITE;
    }

    image->shape.layers = (uint16_t)layers;
    image->shape.hidden = header->hidden;
    image->shape.output = header->output;
    image->shape.sizes = sizes;
    image->mean = standardised ? floats : 0;
    image->scale = standardised ? floats + inputs : 0;
    image->parameters = floats + standardiser_bytes / 4;
    image->parameter_count = count;
    image->inputs = inputs;
    image->outputs = sizes[layers];
    image->buffers = image_buffers(sizes, layers);
    return 0;
}

buffers_t image_buffers(const uint16_t *sizes, uint32_t layers)
{
    buffers_t buffers = {0, 0};
    for (uint32_t n = 0; n <= layers; n++) {
        uint32_t *widest = n % 2 == 0 ? &buffers.first : &buffers.second;
        *widest = sizes[n] > *widest ? sizes[n] : *widest;
    }
    return buffers;
}

uint32_t image_inference_bytes(const image_t *image)
{
    return 4 * (image->buffers.first + image->buffers.second); /* a size is 16 bits */
}

nn_shape_t image_trained(const image_t *image, uint32_t last_layers)
{
    nn_shape_t trained = image->shape;
    if (last_layers != 0) {
        trained.sizes += trained.layers - last_layers;
        trained.layers = (uint16_t)last_layers;
    }
    return trained;
}

uint32_t image_learning_bytes(const image_t *image, const learning_t *learning)
{
    const uint32_t limit = UINT32_MAX / 4; /* floats that 32 bits count the bytes of */
    nn_shape_t trained = image_trained(image, learning->last_layers);
    uint32_t frozen = (uint32_t)image->shape.layers - trained.layers;
    uint32_t parameters = nn_parameter_count(&trained);
    uint32_t sample = nn_activation_count(&trained) + nn_gradient_count(&trained);
    if (parameters > limit) {
        return UINT32_MAX;
    }
    uint64_t fixed = (uint64_t)parameters + nn_state_count(&trained, learning->optimizer);
    fixed += learning->keep ? parameters : 0;
    fixed += image->shape.output == OUTPUT_FUNCTION_SOFTMAX ? 0 : image->outputs;
    if (frozen != 0) {
        buffers_t buffers = image_buffers(image->shape.sizes, frozen);
        fixed += buffers.first + buffers.second;
    }
    if (fixed > limit || learning->batch_size > (limit - (uint32_t)fixed) / sample) {
        return UINT32_MAX;
    }
    return 4 * ((uint32_t)fixed + learning->batch_size * sample);
}
