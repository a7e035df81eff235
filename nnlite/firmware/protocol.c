#include "protocol.h"

#include "bytes.h"
#include "frame.h"
#include "messages.h"
#include "reply.h"
#include "uart.h"

/* Bytes that are decoded between two looks at the UART: on the slowest core and at the highest rate fewer than six
   arrive meanwhile. */
#define PIECE_BYTES 32u
/* After so long a silence at a higher rate the laptop cannot be there any more. */
#define SILENCE_MS 500u

static struct {
    uint16_t session;      /* 0 for none */
    uint16_t sequence;     /* of the last request */
    uint8_t answered_type; /* of the last request that may be carried out once only; 0 for none */
    uint16_t answered_sequence;
    bool answer_is_kept; /* whether its reply is still there */
    bool is_fast;        /* the UART has another rate than HELLO's */

    frame_decoder_t frame;
    uint32_t rx[(FRAME_PADDING + FRAME_BYTES + 3) / 4]; /* its bytes */
} link;

/* These do no harm when repeated; all others are carried out at most once. */
static bool is_repeatable(uint8_t type)
{
    return type == MESSAGE_HELLO || type == MESSAGE_BAUD || type == MESSAGE_FLASH_DATA || type == MESSAGE_READ;
}

static void set_rate(uint32_t baud)
{
    link.is_fast = baud != UART_BAUD;
    uart_set_rate(baud);
}

static void handle(const request_t *request)
{
    if (request->type != MESSAGE_HELLO && (link.session == 0 || request->session != link.session)) {
        reply_aside(request, STATUS_BAD_SESSION, link.session, 0);
        return;
    }
    link.sequence = request->sequence;
    if (request->type == link.answered_type && request->sequence == link.answered_sequence) {
        if (link.answer_is_kept) {
            reply_transmit();
        }
        return; /* carried out once, whatever comes again */
    }
    reply_begin(request);
    link.answer_is_kept = false;
    refusal_t refusal = messages_carry_out(request);
    if (refusal.status != STATUS_OK) {
        reply_refuse(request, refusal);
    } else if (request->type == MESSAGE_HELLO) {
        link.session = request->session;
        link.answered_type = 0;
    }
    if (!is_repeatable(request->type)) {
        link.answered_type = request->type;
        link.answered_sequence = request->sequence;
        link.answer_is_kept = true;
    }
    reply_transmit();
    if (request->type == MESSAGE_BAUD && refusal.status == STATUS_OK) {
        set_rate(load_u32(request->payload));
    }
}

/* A frame that cannot be read: perhaps the one that the laptop waits for. */
static void handle_broken(void)
{
    request_t request = {MESSAGE_FLASH_DATA, 0, link.session, link.sequence, 0, 0, 0};
    messages_repeat_credit(&request);
}

static void handle_frame(const frame_decoder_t *frame)
{
    request_t request;
    request.arrived = board_ticks();
    if (!frame_decoder_whole(frame) || frame->length < FRAME_HEADER_LENGTH + FRAME_CRC_BYTES) {
        handle_broken();
        return;
    }
    request.type = frame->bytes[0];
    request.flags = frame->bytes[1];
    request.session = load_u16(frame->bytes + 2);
    request.sequence = load_u16(frame->bytes + 4);
    request.payload = frame->bytes + FRAME_HEADER_LENGTH;
    request.length = frame->length - FRAME_HEADER_LENGTH - FRAME_CRC_BYTES;
    handle(&request);
    if (link.is_fast) {
        board_alarm_set(SILENCE_MS);
    }
}

void protocol_boot(void)
{
    link.frame.bytes = (uint8_t *)link.rx + FRAME_PADDING;
    link.frame.capacity = FRAME_BYTES;
    frame_decoder_reset(&link.frame);
    messages_boot();
}

void protocol_go_on(void)
{
    const uint8_t *bytes;
    uart_poll();
    uint32_t count = uart_waiting(&bytes);
    if (count == 0) {
        messages_idle();
        if (link.is_fast && board_alarm_rings()) {
            set_rate(UART_BAUD);
        }
        return;
    }
    if (count > PIECE_BYTES) {
        count = PIECE_BYTES;
    }
    uint32_t taken = frame_decoder_take(&link.frame, bytes, count);
    if (taken == count) {
        uart_drop(count);
        return;
    }
    uart_drop(taken + 1);       /* the delimiter */
    if (link.frame.code != 0) { /* an empty frame is only a delimiter more */
        handle_frame(&link.frame);
    }
    frame_decoder_reset(&link.frame);
}
