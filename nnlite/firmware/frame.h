/* Bytes <-> frames, no I/O; the chip's side of nnlite/link/frame.py. docs/PROTOCOL.md, "Frame". */
#ifndef NNLITE_FRAME_H
#define NNLITE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3 as zlib computes it; start with 0, feed the last result to go on. */
uint32_t frame_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length);

/* Takes a frame piece by piece as it comes in. Decoding one frame when it has ended would take longer than the
   receive FIFO holds what follows it. */
typedef struct {
    uint8_t *bytes;    /* the caller's: decoded bytes go there */
    uint32_t capacity; /* how many fit */
    uint32_t length;   /* so far */
    uint32_t crc;      /* of these */
    uint8_t code;      /* of the COBS block that is coming in; 0 before the first */
    uint8_t missing;   /* bytes of it still to come */
    bool overlong;     /* more came than fit */
} frame_decoder_t;

/* Ready for a frame; `bytes` and `capacity` stay. */
void frame_decoder_reset(frame_decoder_t *decoder);

/* Take bytes up to the first delimiter, or all of them. Returns how many; the delimiter is not counted. */
uint32_t frame_decoder_take(frame_decoder_t *decoder, const uint8_t *bytes, uint32_t count);

/* At the delimiter: whether a whole frame came, its CRC-32 (the last 4 of `bytes`) right. */
bool frame_decoder_whole(const frame_decoder_t *decoder);

/* One COBS block of `bytes`: how many of them, starting at `at`, hold no zero (254 at most). */
uint32_t frame_cobs_run(const uint8_t *bytes, uint32_t at, uint32_t length);

#endif
