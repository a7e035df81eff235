#include "reply.h"

#include "bytes.h"
#include "frame.h"
#include "uart.h"

/* A reply is made while the one before it is on the line: between two looks at the UART on the slowest core and at the
   highest rate, no more than a byte is sent. */
#define PIECE_BYTES 16u

static struct {
    refusal_t last_refusal;
    uint32_t length; /* of the payload */
    uint32_t words[(FRAME_PADDING + FRAME_BYTES + 3) / 4];
} reply;

static uint8_t *frame_start(void)
{
    return (uint8_t *)reply.words + FRAME_PADDING;
}

uint8_t *reply_payload(void)
{
    return frame_start() + FRAME_HEADER_LENGTH;
}

void reply_put_u8(uint32_t value)
{
    reply_payload()[reply.length++] = (uint8_t)value;
}

void reply_put_u16(uint32_t value)
{
    store_u16(reply_payload() + reply.length, value);
    reply.length += 2;
}

void reply_put_u32(uint32_t value)
{
    store_u32(reply_payload() + reply.length, value);
    reply.length += 4;
}

void reply_put_bytes(const uint8_t *bytes, uint32_t length)
{
    while (length != 0) {
        uint32_t piece = length < PIECE_BYTES ? length : PIECE_BYTES;
        copy_bytes(reply_payload() + reply.length, bytes, piece);
        reply.length += piece;
        bytes += piece;
        length -= piece;
        uart_poll();
    }
}

static void put_header(uint8_t *frame, const request_t *request)
{
    frame[0] = (uint8_t)(request->type | REPLY_BIT);
    frame[1] = 0;
    store_u16(frame + 2, request->session);
    store_u16(frame + 4, request->sequence);
}

void reply_begin(const request_t *request)
{
    put_header(frame_start(), request);
    reply.length = 0;
    reply_put_u32(STATUS_OK);
}

/* `frame` has room for the CRC-32 behind its `length` bytes. */
static void transmit(uint8_t *frame, uint32_t length)
{
    uint32_t crc = 0;
    for (uint32_t done = 0; done < length; done += PIECE_BYTES) {
        crc = frame_crc32(crc, frame + done, length - done < PIECE_BYTES ? length - done : PIECE_BYTES);
        uart_poll();
    }
    store_u32(frame + length, crc);
    length += FRAME_CRC_BYTES;
    uint32_t at = 0;
    for (;;) {
        uint32_t run = frame_cobs_run(frame, at, length);
        uart_put((uint8_t)(run + 1));
        for (uint32_t end = at + run; at < end; at++) {
            uart_put(frame[at]);
        }
        if (at == length) {
            break;
        }
        if (run < 254) {
            at++; /* the zero that the code byte stands for */
        }
    }
    uart_put(0);
}

void reply_transmit(void)
{
    transmit(frame_start(), FRAME_HEADER_LENGTH + reply.length);
}

void reply_aside(const request_t *request, uint8_t status, uint32_t first, uint32_t second)
{
    uint8_t frame[FRAME_HEADER_LENGTH + REPLY_HEADER_LENGTH + 8 + FRAME_CRC_BYTES];
    uint8_t *payload = frame + FRAME_HEADER_LENGTH;
    put_header(frame, request);
    store_u32(payload, status);
    store_u32(payload + REPLY_HEADER_LENGTH, first);
    store_u32(payload + REPLY_HEADER_LENGTH + 4, second);
    transmit(frame, sizeof frame - FRAME_CRC_BYTES);
}

void reply_refuse(const request_t *request, refusal_t refusal)
{
    reply_begin(request);
    reply_payload()[0] = refusal.status;
    reply_payload()[1] = refusal.detail;
    reply_put_u32(refusal.value);
    reply_put_u32(refusal.limit);
    reply.last_refusal = refusal;
}

refusal_t reply_last_refusal(void)
{
    return reply.last_refusal;
}

uint32_t reply_length(void)
{
    return reply.length;
}

void reply_truncate(uint32_t length)
{
    reply.length = length;
}
