#include "protocol.h"

#include "bytes.h"
#include "frame.h"
#include "messages.h"
#include "reply.h"

static struct {
    uint16_t session;      /* 0 for none */
    uint16_t sequence;     /* of the last request */
    uint8_t answered_type; /* of the request whose reply is still there; 0 for none */
    uint16_t answered_sequence;

    uint32_t rx_length;
    bool rx_overlong;
    uint32_t rx[(FRAME_PADDING + FRAME_ENCODED_BYTES + 3) / 4];
} link;

/* These do no harm when repeated; all others are carried out at most once. */
static bool is_repeatable(uint8_t type)
{
    return type == MESSAGE_HELLO || type == MESSAGE_FLASH_DATA || type == MESSAGE_READ;
}

static void handle(const request_t *request)
{
    if (!is_repeatable(request->type) && request->session == link.session && request->type == link.answered_type &&
        request->sequence == link.answered_sequence) {
        reply_transmit(); /* the reply is still there */
        return;
    }
    reply_begin(request);
    link.answered_type = 0;
    link.sequence = request->sequence;
    refusal_t refusal = request->type == MESSAGE_HELLO || (request->session == link.session && link.session != 0)
                            ? messages_carry_out(request)
                            : refuse(STATUS_BAD_SESSION, 0, link.session, 0);
    if (refusal.status != STATUS_OK) {
        reply_refuse(request, refusal);
    } else if (request->type == MESSAGE_HELLO) {
        link.session = request->session;
    }
    if (!is_repeatable(request->type)) {
        link.answered_type = request->type;
        link.answered_sequence = request->sequence;
    }
    reply_transmit();
}

/* A frame that cannot be read. While an image comes in, the credit tells the laptop where to go on. */
static void handle_broken(void)
{
    request_t request = {MESSAGE_FLASH_DATA, 0, link.session, link.sequence, 0, 0};
    if (messages_receiving_image()) {
        reply_begin(&request);
        link.answered_type = 0;
        messages_put_credit();
        reply_transmit();
    }
}

static void handle_encoded(uint32_t length)
{
    request_t request;
    uint8_t *frame = (uint8_t *)link.rx + FRAME_PADDING;
    length = frame_cobs_decode(frame, length);
    if (length < FRAME_HEADER_LENGTH + FRAME_CRC_BYTES || length > FRAME_BYTES ||
        frame_crc32(0, frame, length - FRAME_CRC_BYTES) != load_u32(frame + length - FRAME_CRC_BYTES)) {
        handle_broken();
        return;
    }
    request.type = frame[0];
    request.flags = frame[1];
    request.session = load_u16(frame + 2);
    request.sequence = load_u16(frame + 4);
    request.payload = frame + FRAME_HEADER_LENGTH;
    request.length = length - FRAME_HEADER_LENGTH - FRAME_CRC_BYTES;
    handle(&request);
}

void protocol_boot(void)
{
    messages_boot();
}

void protocol_receive(uint8_t byte)
{
    if (byte != 0) {
        if (link.rx_length < FRAME_ENCODED_BYTES) {
            ((uint8_t *)link.rx)[FRAME_PADDING + link.rx_length++] = byte;
        } else {
            link.rx_overlong = true;
        }
        return;
    }
    uint32_t length = link.rx_length;
    bool overlong = link.rx_overlong;
    link.rx_length = 0;
    link.rx_overlong = false;
    if (overlong) {
        handle_broken();
    } else if (length != 0) {
        handle_encoded(length);
    }
}
