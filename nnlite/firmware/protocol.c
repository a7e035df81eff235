#include "protocol.h"

#include "blake2s.h"
#include "board.h"
#include "bytes.h"
#include "frame.h"
#include "model.h"
#include "slots.h"
#include "uart.h"
#include "wire.h"

#define FRAME_BYTES (FRAME_HEADER_LENGTH + PAYLOAD_BYTES + FRAME_CRC_BYTES)
/* COBS adds one byte for every 254, rounded up. */
#define ENCODED_BYTES (FRAME_BYTES + (FRAME_BYTES + 253u) / 254u)
/* A header of 6 bytes behind 2 of padding puts the payload, and the fields behind its 4-byte status word,
   on a multiple of 4. */
#define PADDING 2u
/* Every FLASH_DATA but the last carries this much, so that credit in bytes of image bounds bytes on the line. */
#define BLOCK_BYTES (PAYLOAD_BYTES - FLASH_DATA_HEADER_LENGTH)
/* Three blocks with all that frames them, and the stray bytes of a retransmission, fit the receive buffer. */
#define WINDOW_BYTES (3u * BLOCK_BYTES)

STATIC_ASSERT(3 * (ENCODED_BYTES + 1) + 64 <= RECEIVE_BUFFER_BYTES, window_fits_the_receive_buffer);
STATIC_ASSERT(BLOCK_BYTES % 4 == 0, blocks_are_words);

typedef struct {
    uint8_t type;
    uint8_t flags;
    uint16_t session;
    uint16_t sequence;
    const uint8_t *payload;
    uint32_t length;
} request_t;

static struct {
    slots_t slots;
    model_t model;

    uint16_t session;      /* 0 for none */
    uint16_t sequence;     /* of the last request */
    uint8_t answered_type; /* of the request whose reply `tx` still holds; 0 for none */
    uint16_t answered_sequence;
    uint8_t last_status; /* last refusal since power-up */
    uint8_t last_detail;

    bool receiving_image;
    uint32_t image_length;
    uint32_t image_next;
    uint32_t image_digest[8];

    uint32_t rx_length;
    bool rx_overlong;
    uint32_t tx_length; /* of the payload */
    uint32_t rx[(PADDING + ENCODED_BYTES + 3) / 4];
    uint32_t tx[(PADDING + FRAME_BYTES + 3) / 4];
} device;

static uint8_t *tx_frame(void)
{
    return (uint8_t *)device.tx + PADDING;
}

static uint8_t *tx_payload(void)
{
    return tx_frame() + FRAME_HEADER_LENGTH;
}

/* ---- sending ---- */

static void put_u8(uint32_t value)
{
    tx_payload()[device.tx_length++] = (uint8_t)value;
}

static void put_u16(uint32_t value)
{
    store_u16(tx_payload() + device.tx_length, value);
    device.tx_length += 2;
}

static void put_u32(uint32_t value)
{
    store_u32(tx_payload() + device.tx_length, value);
    device.tx_length += 4;
}

static void put_bytes(const uint8_t *bytes, uint32_t length)
{
    copy_bytes(tx_payload() + device.tx_length, bytes, length);
    device.tx_length += length;
}

static void begin_reply(const request_t *request)
{
    uint8_t *frame = tx_frame();
    frame[0] = (uint8_t)(request->type | REPLY_BIT);
    frame[1] = 0;
    store_u16(frame + 2, request->session);
    store_u16(frame + 4, request->sequence);
    device.tx_length = 0;
    put_u32(STATUS_OK);
}

static void transmit(void)
{
    uint8_t *frame = tx_frame();
    uint32_t length = FRAME_HEADER_LENGTH + device.tx_length;
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

static void make_refusal(const request_t *request, refusal_t refusal)
{
    begin_reply(request);
    tx_payload()[0] = refusal.status;
    tx_payload()[1] = refusal.detail;
    put_u32(refusal.value);
    put_u32(refusal.limit);
    device.last_status = refusal.status;
    device.last_detail = refusal.detail;
}

static refusal_t refuse(uint8_t status, uint8_t detail, uint32_t value, uint32_t limit)
{
    refusal_t refusal = {status, detail, value, limit};
    return refusal;
}

static refusal_t accept(void)
{
    return refuse(STATUS_OK, 0, 0, 0);
}

static refusal_t expect_length(const request_t *request, uint32_t length)
{
    return request->length == length ? accept() : refuse(STATUS_BAD_MESSAGE, request->type, request->length, length);
}

static refusal_t expect_model(void)
{
    return device.slots.active == NO_SLOT ? refuse(STATUS_NO_MODEL, 0, 0, 0) : accept();
}

/* ---- the messages; each fills the reply behind the status word, or refuses ---- */

static void put_field(uint8_t tag, uint32_t value)
{
    put_u8(tag);
    put_u8(4);
    put_u32(value);
}

static void put_text_field(uint8_t tag, const char *text, uint32_t length)
{
    put_u8(tag);
    put_u8(length);
    put_bytes((const uint8_t *)text, length);
}

static void put_slot_field(unsigned slot)
{
    const slot_info_t *info = &device.slots.info[slot];
    put_u8(HELLO_FIELD_SLOT);
    put_u8(SLOT_FIELD_LENGTH);
    put_u8(slot);
    put_u8(info->state);
    put_u16(info->flags);
    put_u32(info->generation);
    put_u32(info->length);
    put_u32(info->erase_count);
    put_bytes((const uint8_t *)slots_record(slot)->digest, DIGEST_BYTES);
}

static void drop_unfinished(void)
{
    device.receiving_image = false;
    model_reset(&device.model);
}

static refusal_t hello(const request_t *request)
{
    if (request->length < HELLO_REQUEST_LENGTH || request->session == 0) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, HELLO_REQUEST_LENGTH);
    }
    if (request->payload[0] > PROTOCOL_VERSION || request->payload[1] < PROTOCOL_VERSION) {
        return refuse(STATUS_BAD_VERSION, 0, PROTOCOL_VERSION, PROTOCOL_VERSION);
    }
    device.session = request->session;
    drop_unfinished();

    put_u8(HELLO_FIELD_PROTOCOL);
    put_u8(2);
    put_u8(PROTOCOL_VERSION);
    put_u8(PROTOCOL_VERSION);
    put_text_field(HELLO_FIELD_FIRMWARE, FIRMWARE_VERSION, sizeof(FIRMWARE_VERSION) - 1);
    put_text_field(HELLO_FIELD_BOARD, BOARD_NAME, sizeof(BOARD_NAME) - 1);
    put_u8(HELLO_FIELD_UNIQUE_ID);
    put_u8(8);
    put_u32(board_unique_id(0));
    put_u32(board_unique_id(1));
    put_field(HELLO_FIELD_RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_BYTES);
    put_u8(HELLO_FIELD_PAYLOAD_BYTES);
    put_u8(2);
    put_u16(PAYLOAD_BYTES);
    put_field(HELLO_FIELD_PAGE_BYTES, PAGE_BYTES);
    put_u8(HELLO_FIELD_WRITE_BYTES);
    put_u8(1);
    put_u8(WRITE_BYTES);
    put_field(HELLO_FIELD_SLOT_IMAGE_BYTES, SLOT_IMAGE_BYTES);
    put_field(HELLO_FIELD_ARENA_BYTES, ARENA_BYTES);
    put_field(HELLO_FIELD_CLOCK_HZ, CLOCK_HZ);
    put_field(HELLO_FIELD_ERASE_PAGE_US, ERASE_PAGE_US);
    put_u8(HELLO_FIELD_ACTIVE_SLOT);
    put_u8(1);
    put_u8(device.slots.active);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        put_slot_field(slot);
    }
    put_field(HELLO_FIELD_BAUD_RATES, UART_BAUD);
    put_u8(HELLO_FIELD_LAST_ERROR);
    put_u8(2);
    put_u8(device.last_status);
    put_u8(device.last_detail);
    return accept();
}

static void put_model(void)
{
    const slot_record_t *record = slots_record(device.slots.active);
    put_u32(record->generation);
    put_u32(record->length);
    put_bytes((const uint8_t *)record->digest, DIGEST_BYTES);
}

static refusal_t verify(void)
{
    unsigned active = device.slots.active;
    refusal_t refusal = expect_model();
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    slots_boot(&device.slots);
    if (device.slots.active != active) {
        drop_unfinished();
        return refuse(STATUS_BAD_DIGEST, 0, 0, 0);
    }
    put_model();
    return accept();
}

static refusal_t rollback(void)
{
    if (device.model.learning || device.receiving_image) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = slots_rollback(&device.slots);
    if (refusal.status == STATUS_OK) {
        model_reset(&device.model);
        put_model();
    }
    return refusal;
}

static void put_credit(void)
{
    uint32_t ahead = device.image_length - device.image_next;
    put_u32(device.image_next);
    put_u32(device.image_next + (ahead < WINDOW_BYTES ? ahead : WINDOW_BYTES));
}

static refusal_t flash_begin(const request_t *request)
{
    uint32_t length = load_u32(request->payload);
    if (device.model.learning) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (length > SLOT_IMAGE_BYTES) {
        return refuse(STATUS_TOO_LARGE, 0, length, SLOT_IMAGE_BYTES);
    }
    if (length == 0 || length % 4 != 0) {
        return refuse(STATUS_BAD_IMAGE, IMAGE_FAULT_LENGTH, 0, 0);
    }
    device.receiving_image = true;
    device.image_length = length;
    device.image_next = 0;
    copy_bytes((uint8_t *)device.image_digest, request->payload + 4, DIGEST_BYTES);
    slots_erase_spare(&device.slots, length);
    put_credit();
    return accept();
}

static refusal_t flash_data(const request_t *request)
{
    if (!device.receiving_image) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (request->length < FLASH_DATA_HEADER_LENGTH) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, FLASH_DATA_HEADER_LENGTH);
    }
    uint32_t rest = device.image_length - device.image_next;
    uint32_t length = rest < BLOCK_BYTES ? rest : BLOCK_BYTES;
    if (load_u32(request->payload) == device.image_next && rest != 0) {
        if (request->length != FLASH_DATA_HEADER_LENGTH + length) {
            return refuse(STATUS_BAD_MESSAGE, request->type, request->length, FLASH_DATA_HEADER_LENGTH + length);
        }
        slots_program(&device.slots, device.image_next, request->payload + FLASH_DATA_HEADER_LENGTH, length);
        device.image_next += length;
    }
    put_credit();
    return accept();
}

static refusal_t flash_commit(void)
{
    if (!device.receiving_image || device.image_next != device.image_length) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.receiving_image = false;
    model_reset(&device.model);
    refusal_t refusal = slots_commit(&device.slots, device.image_length, device.image_digest, 0);
    if (refusal.status == STATUS_OK) {
        put_model();
    }
    return refusal;
}

/* What RUN and LEARN share: a position, then words. */
static refusal_t open_stream(const request_t *request)
{
    if (request->length < RUN_HEADER_LENGTH || request->length % 4 != 0) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, RUN_HEADER_LENGTH);
    }
    refusal_t refusal = expect_model();
    if (refusal.status == STATUS_OK) {
        refusal = model_seek(&device.model, load_u32(request->payload));
    }
    return refusal;
}

static refusal_t run(const request_t *request)
{
    if (device.model.learning) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = open_stream(request);
    uint32_t rows = 0;
    uint32_t row_bytes = 4 * device.slots.model.outputs;
    bool probabilities = (request->flags & RUN_FLAG_PROBABILITIES) != 0;
    put_u32(0); /* rows and words, known at the end */
    for (uint32_t at = RUN_HEADER_LENGTH; refusal.status == STATUS_OK && at < request->length; at += 4) {
        bool completed;
        refusal = model_run_word(&device.model, &device.slots.model, load_u32(request->payload + at), probabilities,
                                 &completed);
        if (refusal.status != STATUS_OK || !completed) {
            continue;
        }
        rows++;
        if (device.tx_length + row_bytes <= PAYLOAD_BYTES) {
            put_bytes((const uint8_t *)device.model.outputs, row_bytes);
        }
    }
    uint32_t words = (device.tx_length - REPLY_HEADER_LENGTH - RUN_REPLY_LENGTH) / 4;
    if (words != rows * device.slots.model.outputs) {
        /* Not all rows fit: none is sent, the last one can be read. */
        device.tx_length = REPLY_HEADER_LENGTH + RUN_REPLY_LENGTH;
        words = 0;
    }
    store_u16(tx_payload() + REPLY_HEADER_LENGTH, rows);
    store_u16(tx_payload() + REPLY_HEADER_LENGTH + 2, words);
    return refusal;
}

/* Answers with a frame for each piece; the caller sends the last one. */
static refusal_t read(const request_t *request)
{
    const uint8_t *bytes;
    uint32_t size;
    uint32_t offset = load_u32(request->payload + 4);
    uint32_t length = load_u32(request->payload + 8);
    refusal_t refusal = expect_model();
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    if (request->payload[0] == REGION_IMAGE) {
        bytes = slots_image(device.slots.active);
        size = device.slots.info[device.slots.active].length;
    } else if (request->payload[0] == REGION_OUTPUT && device.model.outputs != 0 && !device.model.learning) {
        bytes = (const uint8_t *)device.model.outputs;
        size = 4 * device.slots.model.outputs;
    } else {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (offset > size || length > size - offset) {
        return refuse(STATUS_TOO_LARGE, 0, length, offset > size ? 0 : size - offset);
    }
    const uint32_t piece_limit = PAYLOAD_BYTES - REPLY_HEADER_LENGTH - READ_REPLY_HEADER_LENGTH;
    for (;;) {
        uint32_t piece = length < piece_limit ? length : piece_limit;
        put_u32(offset);
        put_bytes(bytes + offset, piece);
        offset += piece;
        length -= piece;
        if (length == 0 || uart_available()) {
            return accept();
        }
        transmit();
        begin_reply(request);
    }
}

static refusal_t learn_begin(const request_t *request)
{
    uint32_t used = 0;
    refusal_t refusal = expect_model();
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    if (device.model.learning || device.receiving_image) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (request->payload[6] != OPTIMIZER_SGD) {
        return refuse(STATUS_BAD_ARGUMENT, 0, 0, 0);
    }
    refusal = model_learn_begin(&device.model, &device.slots.model, float_of_bits(load_u32(request->payload)),
                                load_u16(request->payload + 4), &used);
    put_u32(used);
    return refusal;
}

static refusal_t learn(const request_t *request)
{
    float loss = 0.0f;
    if (!device.model.learning) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = open_stream(request);
    for (uint32_t at = RUN_HEADER_LENGTH; refusal.status == STATUS_OK && at < request->length; at += 4) {
        refusal = model_learn_word(&device.model, &device.slots.model, load_u32(request->payload + at), &loss);
    }
    if (refusal.status == STATUS_OK && (request->flags & LEARN_FLAG_END_OF_EPOCH) != 0) {
        refusal = model_learn_flush(&device.model, &device.slots.model);
    }
    if (refusal.status != STATUS_OK) {
        model_reset(&device.model); /* nothing of this run is kept */
    }
    put_u32(device.model.samples_seen);
    put_u32(bits_of_float(loss));
    return refusal;
}

/* The serving image with the learned parameters in place of its own goes into the spare slot. */
static refusal_t learn_commit(void)
{
    const image_t *image = &device.slots.model;
    uint32_t digest[8];
    if (!device.model.learning || device.model.filled != 0 || device.model.batch_filled != 0) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.model.learning = false;
    const uint8_t *serving = slots_image(device.slots.active);
    const uint8_t *spare = slots_image(slots_spare(&device.slots));
    uint32_t length = device.slots.info[device.slots.active].length;
    uint32_t begin = (uint32_t)((const uint8_t *)image->parameters - serving);
    uint32_t bytes = 4 * image->parameter_count;
    const uint8_t *learned = (const uint8_t *)device.model.parameters;
    slots_erase_spare(&device.slots, length);
    slots_program(&device.slots, 0, serving, begin);
    slots_program(&device.slots, begin, learned, bytes);
    slots_program(&device.slots, begin + bytes, serving + begin + bytes, length - begin - bytes);
    for (uint32_t i = 0; i < length; i++) {
        uint8_t source = i >= begin && i - begin < bytes ? learned[i - begin] : serving[i];
        if (spare[i] != source) {
            return refuse(STATUS_FLASH_FAILED, 0, i, 0);
        }
    }
    blake2s(spare, length, digest);
    refusal_t refusal = slots_commit(&device.slots, length, digest, RECORD_FLAG_LEARNED);
    model_reset(&device.model);
    if (refusal.status == STATUS_OK) {
        put_model();
    }
    return refusal;
}

static refusal_t learn_abort(void)
{
    model_reset(&device.model);
    return accept();
}

/* ---- sessions, at-most-once, dispatch ---- */

static refusal_t dispatch(const request_t *request)
{
    refusal_t refusal;
    switch (request->type) {
    case MESSAGE_HELLO:
        return hello(request);
    case MESSAGE_VERIFY:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? verify() : refusal;
    case MESSAGE_ROLLBACK:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? rollback() : refusal;
    case MESSAGE_FLASH_BEGIN:
        refusal = expect_length(request, FLASH_BEGIN_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? flash_begin(request) : refusal;
    case MESSAGE_FLASH_DATA:
        return flash_data(request);
    case MESSAGE_FLASH_COMMIT:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? flash_commit() : refusal;
    case MESSAGE_RUN:
        return run(request);
    case MESSAGE_READ:
        refusal = expect_length(request, READ_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? read(request) : refusal;
    case MESSAGE_LEARN_BEGIN:
        refusal = expect_length(request, LEARN_BEGIN_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? learn_begin(request) : refusal;
    case MESSAGE_LEARN:
        return learn(request);
    case MESSAGE_LEARN_COMMIT:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? learn_commit() : refusal;
    case MESSAGE_LEARN_ABORT:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? learn_abort() : refusal;
    default:
        return refuse(STATUS_BAD_MESSAGE, request->type, 0, 0);
    }
}

/* These do no harm when repeated; all others are carried out at most once. */
static bool is_repeatable(uint8_t type)
{
    return type == MESSAGE_HELLO || type == MESSAGE_FLASH_DATA || type == MESSAGE_READ;
}

static void handle(const request_t *request)
{
    if (!is_repeatable(request->type) && request->session == device.session && request->type == device.answered_type &&
        request->sequence == device.answered_sequence) {
        transmit(); /* `tx` still holds the answer */
        return;
    }
    begin_reply(request);
    device.answered_type = 0;
    device.sequence = request->sequence;
    refusal_t refusal = request->type == MESSAGE_HELLO || (request->session == device.session && device.session != 0)
                            ? dispatch(request)
                            : refuse(STATUS_BAD_SESSION, 0, device.session, 0);
    if (refusal.status != STATUS_OK) {
        make_refusal(request, refusal);
    }
    if (!is_repeatable(request->type)) {
        device.answered_type = request->type;
        device.answered_sequence = request->sequence;
    }
    transmit();
}

/* A frame that cannot be read. While an image comes in, the credit tells the laptop where to go on. */
static void handle_broken(void)
{
    request_t request = {MESSAGE_FLASH_DATA, 0, device.session, device.sequence, 0, 0};
    if (device.receiving_image) {
        begin_reply(&request);
        device.answered_type = 0;
        put_credit();
        transmit();
    }
}

static void handle_encoded(uint32_t length)
{
    request_t request;
    uint8_t *frame = (uint8_t *)device.rx + PADDING;
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
    slots_boot(&device.slots);
}

void protocol_receive(uint8_t byte)
{
    if (byte != 0) {
        if (device.rx_length < ENCODED_BYTES) {
            ((uint8_t *)device.rx)[PADDING + device.rx_length++] = byte;
        } else {
            device.rx_overlong = true;
        }
        return;
    }
    uint32_t length = device.rx_length;
    bool overlong = device.rx_overlong;
    device.rx_length = 0;
    device.rx_overlong = false;
    if (overlong) {
        handle_broken();
    } else if (length != 0) {
        handle_encoded(length);
    }
}
