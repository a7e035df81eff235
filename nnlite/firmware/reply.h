/* The one reply that is being made, or was made last: filled field by field, then sent as a frame. */
#ifndef NNLITE_REPLY_H
#define NNLITE_REPLY_H

#include <stdint.h>

#include "board.h"
#include "refusal.h"
#include "wire.h"

/* Of a frame before COBS, and with it: COBS adds one byte for every 254, rounded up. */
#define FRAME_BYTES (FRAME_HEADER_LENGTH + PAYLOAD_BYTES + FRAME_CRC_BYTES)
#define FRAME_ENCODED_BYTES (FRAME_BYTES + (FRAME_BYTES + 253u) / 254u)
/* A header of 6 bytes behind 2 of padding puts the payload, and the fields behind its 4-byte status word,
   on a multiple of 4. */
#define FRAME_PADDING 2u

typedef struct {
    uint8_t type;
    uint8_t flags;
    uint16_t session;
    uint16_t sequence;
    const uint8_t *payload;
    uint32_t length;
    uint32_t arrived; /* board_ticks when its last byte had come */
} request_t;

/* Start the reply to a request: its header, and STATUS_OK as the status word. */
void reply_begin(const request_t *request);

/* Start anew with a refusal. */
void reply_refuse(const request_t *request, refusal_t refusal);

/* The last refusal since power-up. */
refusal_t reply_last_refusal(void);

/* Append to the payload. The caller knows that there is room: PAYLOAD_BYTES in all. */
void reply_put_u8(uint32_t value);
void reply_put_u16(uint32_t value);
void reply_put_u32(uint32_t value);
void reply_put_bytes(const uint8_t *bytes, uint32_t length);

/* The payload so far, to be mended in place or cut short. */
uint8_t *reply_payload(void);
uint32_t reply_length(void);
void reply_truncate(uint32_t length);

/* Send it. It stays as it is and can be sent again. */
void reply_transmit(void);

/* Send a short reply, a status and two fields, beside the one that is kept. */
void reply_aside(const request_t *request, uint8_t status, uint32_t first, uint32_t second);

#endif
