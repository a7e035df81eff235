/* The sums of firmware/image.c for many networks: records on stdin, results on stdout, both as they lie in memory.
   Built natively with sanitizers; tests/proof/one_formula.py makes the records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "image.h"
#include "wire.h"

/* Of a longer image its floats are not made, since the largest has 4 GB. */
#define WHOLE_IMAGE_BYTES 65536u

typedef struct {
    uint16_t sizes[MAX_LAYERS + 2];
    uint8_t layers;
    uint8_t output;
    uint8_t flags;
    uint8_t optimizer;
    uint8_t last_layers;
    uint8_t keep;
    uint16_t metadata_length;
    uint32_t batch_size;
    uint32_t parameter_count; /* modulo 2^32 */
    uint32_t length;          /* modulo 2^32 */
} network_t;

typedef struct {
    uint32_t fault;   /* of an image of this length whose first float is a NaN: NON_FINITE where all else is right */
    uint32_t longer;  /* the same with one word more */
    uint32_t shorter; /* and with one word less */
    uint32_t inference_bytes;
    uint32_t learning_bytes;
} result_t;

static void write_header(uint8_t *bytes, const network_t *network)
{
    store_u32(bytes, IMAGE_MAGIC);
    bytes[4] = IMAGE_FORMAT;
    bytes[5] = network->layers;
    bytes[6] = HIDDEN_ACTIVATION_RELU;
    bytes[7] = network->output;
    bytes[8] = PARAMETER_TYPE_FLOAT32;
    bytes[9] = network->flags;
    store_u16(bytes + 10, network->metadata_length);
    store_u32(bytes + 12, network->parameter_count);
    memcpy(bytes + IMAGE_HEADER_LENGTH, network->sizes, 2 * (network->layers + 1u));
}

int main(void)
{
    network_t network;
    while (fread(&network, sizeof network, 1, stdin) == 1) {
        uint32_t header = IMAGE_HEADER_LENGTH + ((2 * (network.layers + 1u) + 3) & ~3u);
        result_t result;
        image_t image = {.shape = {network.layers, HIDDEN_ACTIVATION_RELU, network.output, network.sizes},
                         .outputs = network.sizes[network.layers],
                         .buffers = image_buffers(network.sizes, network.layers)};
        /* No more than the header and one float, so that the sanitizer sees a step beyond. */
        uint8_t *bytes = calloc(1, header + 4);
        if (bytes == NULL) {
            return 1;
        }
        write_header(bytes, &network);
        store_u32(bytes + header, 0x7FC00000u);
        result.fault = image_parse(bytes, network.length, &image);
        result.longer = image_parse(bytes, network.length + 4, &image);
        result.shorter = image_parse(bytes, network.length - 4, &image);
        if (result.fault == IMAGE_FAULT_NON_FINITE && network.length <= WHOLE_IMAGE_BYTES) {
            uint8_t *whole = calloc(1, network.length);
            if (whole == NULL) {
                return 1;
            }
            write_header(whole, &network);
            memset(&image, 0xFF, sizeof image);
            if (image_parse(whole, network.length, &image) != 0) {
                return 1;
            }
            free(bytes);
            bytes = whole;
        }
        learning_t learning = {network.batch_size, network.optimizer, network.last_layers, network.keep != 0};
        result.inference_bytes = image_inference_bytes(&image);
        result.learning_bytes = image_learning_bytes(&image, &learning);
        free(bytes);
        if (fwrite(&result, sizeof result, 1, stdout) != 1) {
            return 1;
        }
    }
    return 0;
}
