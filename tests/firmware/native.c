/* The portable files of the firmware behind a line protocol on stdin, for the tests of tests/firmware:
   one request a line, `COMMAND HEX`, one answer a line in hex. Built natively with sanitizers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blake2s.h"
#include "bytes.h"
#include "frame.h"
#include "image.h"
#include "wire.h"

#define LIMIT 200000

static void print_hex(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\n");
}

int main(void)
{
    static char line[2 * LIMIT + 64];
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *hex = strchr(line, ' ');
        if (hex == NULL) {
            return 2;
        }
        *hex++ = '\0';
        size_t length = strspn(hex, "0123456789abcdef") / 2;
        /* exactly as long as the bytes, so that the address sanitizer sees any step beyond */
        uint8_t *bytes = malloc(length > 0 ? length : 1);
        for (size_t i = 0; i < length; i++) {
            unsigned value;
            sscanf(hex + 2 * i, "%2x", &value);
            bytes[i] = (uint8_t)value;
        }
        if (strcmp(line, "crc") == 0) {
            printf("%08x\n", frame_crc32(0, bytes, (uint32_t)length));
        } else if (strcmp(line, "decode") == 0) {
            /* "-" for what is not a whole frame; room for as many bytes as came, so that nothing is overlong */
            uint8_t *decoded = malloc(length > 0 ? length : 1);
            frame_decoder_t decoder = {.bytes = decoded, .capacity = (uint32_t)length};
            frame_decoder_reset(&decoder);
            /* in two pieces, as a frame comes in; a zero in either ends it */
            uint32_t half = (uint32_t)length / 2;
            bool all = frame_decoder_take(&decoder, bytes, half) == half &&
                       frame_decoder_take(&decoder, bytes + half, (uint32_t)length - half) == length - half;
            if (all && frame_decoder_whole(&decoder)) {
                print_hex(decoded, decoder.length);
            } else {
                printf("-\n");
            }
            free(decoded);
        } else if (strcmp(line, "encode") == 0) {
            uint32_t at = 0;
            for (;;) {
                uint32_t run = frame_cobs_run(bytes, at, (uint32_t)length);
                printf("%02x", run + 1);
                for (uint32_t end = at + run; at < end; at++) {
                    printf("%02x", bytes[at]);
                }
                if (at == length) {
                    break;
                }
                at += run < 254;
            }
            printf("\n");
        } else if (strcmp(line, "digest") == 0) {
            blake2s_t state;
            blake2s(&state, bytes, (uint32_t)length);
            print_hex((const uint8_t *)state.h, sizeof state.h);
        } else if (strcmp(line, "image") == 0) {
            image_t image;
            uint8_t fault = image_parse(bytes, (uint32_t)length, &image);
            if (fault != 0) {
                printf("fault %u\n", fault);
            } else {
                printf("ok %u\n", image_inference_bytes(&image));
            }
        } else if (strcmp(line, "learning") == 0) {
            /* batch size u32, optimiser u8, last layers u8, keep u8, output u8, then sizes u16: no image, so that sizes
               may be any */
            uint16_t sizes[MAX_LAYERS + 1];
            uint32_t count = (uint32_t)(length - 8) / 2;
            for (uint32_t n = 0; n < count; n++) {
                sizes[n] = load_u16(bytes + 8 + 2 * n);
            }
            nn_shape_t shape = {(uint16_t)(count - 1), HIDDEN_ACTIVATION_RELU, bytes[7], sizes};
            image_t image = {.shape = shape, .outputs = sizes[count - 1]};
            learning_t learning = {load_u32(bytes), bytes[4], bytes[5], bytes[6] != 0};
            printf("%u\n", image_learning_bytes(&image, &learning));
        } else {
            return 2;
        }
        free(bytes);
    }
    return 0;
}
