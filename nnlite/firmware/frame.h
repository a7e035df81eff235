/* Bytes <-> frames, no I/O; the chip's side of nnlite/link/frame.py. docs/PROTOCOL.md, "Frame". */
#ifndef NNLITE_FRAME_H
#define NNLITE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3 as zlib computes it; start with 0, feed the last result to go on. */
uint32_t frame_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length);

/* Undo COBS in place. `length` counts the bytes before the delimiter. Returns the decoded
   length, or 0 when a code byte points beyond the end. */
uint32_t frame_cobs_decode(uint8_t *bytes, uint32_t length);

/* One COBS block of `bytes`: how many of them, starting at `at`, hold no zero (254 at most). */
uint32_t frame_cobs_run(const uint8_t *bytes, uint32_t at, uint32_t length);

#endif
