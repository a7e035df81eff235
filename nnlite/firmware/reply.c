#include "reply.h"

#include "bytes.h"
#include "frame.h"
#include "uart.h"

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
    copy_bytes(reply_payload() + reply.length, bytes, length);
    reply.length += length;
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
    store_u32(frame + length, frame_crc32(0, frame, length));
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
