#include "messages.h"

#include "blake2s.h"
#include "bytes.h"
#include "model.h"
#include "slots.h"
#include "uart.h"

/* Every FLASH_DATA but the last carries this much, so that credit in bytes of image bounds bytes on the line. */
#define BLOCK_BYTES (PAYLOAD_BYTES - FLASH_DATA_HEADER_LENGTH)
/* Three blocks with all that frames them, and the stray bytes of a retransmission, fit the receive buffer. */
#define WINDOW_BYTES (3u * BLOCK_BYTES)

STATIC_ASSERT(3 * (FRAME_ENCODED_BYTES + 1) + 64 <= RECEIVE_BUFFER_BYTES, window_fits_the_receive_buffer);
STATIC_ASSERT(BLOCK_BYTES % 4 == 0, blocks_are_words);

static struct {
    slots_t slots;
    model_t model;

    bool receiving_image;
    uint32_t image_length;
    uint32_t image_next;
    uint32_t image_digest[8];
} device;

static refusal_t expect_length(const request_t *request, uint32_t length)
{
    return request->length == length ? accept() : refuse(STATUS_BAD_MESSAGE, request->type, request->length, length);
}

static refusal_t expect_model(void)
{
    return device.slots.active == NO_SLOT ? refuse(STATUS_NO_MODEL, 0, 0, 0) : accept();
}

static void put_field(uint8_t tag, uint32_t value)
{
    reply_put_u8(tag);
    reply_put_u8(4);
    reply_put_u32(value);
}

static void put_text_field(uint8_t tag, const char *text, uint32_t length)
{
    reply_put_u8(tag);
    reply_put_u8(length);
    reply_put_bytes((const uint8_t *)text, length);
}

static void put_slot_field(unsigned slot)
{
    const slot_info_t *info = &device.slots.info[slot];
    reply_put_u8(HELLO_FIELD_SLOT);
    reply_put_u8(SLOT_FIELD_LENGTH);
    reply_put_u8(slot);
    reply_put_u8(info->state);
    reply_put_u16(info->flags);
    reply_put_u32(info->generation);
    reply_put_u32(info->length);
    reply_put_u32(info->erase_count);
    reply_put_bytes((const uint8_t *)slots_record(slot)->digest, DIGEST_BYTES);
}

static void drop_unfinished(void)
{
    device.receiving_image = false;
    model_reset(&device.model);
    if (device.slots.on_trial) {
        slots_boot(&device.slots);
    }
}

static refusal_t hello(const request_t *request)
{
    if (request->length < HELLO_REQUEST_LENGTH || request->session == 0) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, HELLO_REQUEST_LENGTH);
    }
    if (request->payload[0] > PROTOCOL_VERSION || request->payload[1] < PROTOCOL_VERSION) {
        return refuse(STATUS_BAD_VERSION, 0, PROTOCOL_VERSION, PROTOCOL_VERSION);
    }
    drop_unfinished();

    reply_put_u8(HELLO_FIELD_PROTOCOL);
    reply_put_u8(2);
    reply_put_u8(PROTOCOL_VERSION);
    reply_put_u8(PROTOCOL_VERSION);
    put_text_field(HELLO_FIELD_FIRMWARE, FIRMWARE_VERSION, sizeof(FIRMWARE_VERSION) - 1);
    put_text_field(HELLO_FIELD_BOARD, BOARD_NAME, sizeof(BOARD_NAME) - 1);
    reply_put_u8(HELLO_FIELD_UNIQUE_ID);
    reply_put_u8(8);
    reply_put_u32(board_unique_id(0));
    reply_put_u32(board_unique_id(1));
    put_field(HELLO_FIELD_RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_BYTES);
    reply_put_u8(HELLO_FIELD_PAYLOAD_BYTES);
    reply_put_u8(2);
    reply_put_u16(PAYLOAD_BYTES);
    put_field(HELLO_FIELD_PAGE_BYTES, PAGE_BYTES);
    reply_put_u8(HELLO_FIELD_WRITE_BYTES);
    reply_put_u8(1);
    reply_put_u8(WRITE_BYTES);
    put_field(HELLO_FIELD_SLOT_IMAGE_BYTES, SLOT_IMAGE_BYTES);
    put_field(HELLO_FIELD_ARENA_BYTES, ARENA_BYTES);
    put_field(HELLO_FIELD_CLOCK_HZ, CLOCK_HZ);
    put_field(HELLO_FIELD_ERASE_PAGE_US, ERASE_PAGE_US);
    reply_put_u8(HELLO_FIELD_ACTIVE_SLOT);
    reply_put_u8(1);
    reply_put_u8(device.slots.active);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        put_slot_field(slot);
    }
    put_field(HELLO_FIELD_BAUD_RATES, UART_BAUD);
    put_field(HELLO_FIELD_TICK_HZ, board_tick_hz());
    reply_put_u8(HELLO_FIELD_SIMULATED);
    reply_put_u8(1);
    reply_put_u8(board_is_simulated());
    reply_put_u8(HELLO_FIELD_LAST_ERROR);
    reply_put_u8(2);
    reply_put_u8(reply_last_refusal().status);
    reply_put_u8(reply_last_refusal().detail);
    return accept();
}

static void put_model(void)
{
    const slot_record_t *record = slots_record(device.slots.active);
    reply_put_u32(record->generation);
    reply_put_u32(record->length);
    reply_put_bytes((const uint8_t *)record->digest, DIGEST_BYTES);
}

/* It has no generation. */
static void put_model_on_trial(void)
{
    reply_put_u32(0);
    reply_put_u32(device.image_length);
    reply_put_bytes((const uint8_t *)device.image_digest, DIGEST_BYTES);
}

static refusal_t echo(const request_t *request)
{
    const uint32_t room = PAYLOAD_BYTES - REPLY_HEADER_LENGTH;
    if (request->length > room) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, room);
    }
    reply_put_bytes(request->payload, request->length);
    return accept();
}

static refusal_t verify(void)
{
    unsigned active = device.slots.active;
    refusal_t refusal = expect_model();
    if (device.receiving_image || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0,
                      0); /* the boot rule would forget what is known of the slot being filled */
    }
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
    if (device.model.learning || device.receiving_image || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = slots_rollback(&device.slots);
    if (refusal.status == STATUS_OK) {
        model_reset(&device.model);
        put_model();
    }
    return refusal;
}

/* First offset that may not be sent yet. */
static uint32_t credit_limit(void)
{
    uint32_t ahead = device.image_length - device.image_next;
    return device.image_next + (ahead < WINDOW_BYTES ? ahead : WINDOW_BYTES);
}

static void put_credit(void)
{
    reply_put_u32(device.image_next);
    reply_put_u32(credit_limit());
}

static refusal_t flash_begin(const request_t *request)
{
    uint32_t length = load_u32(request->payload);
    if (device.model.learning || device.slots.on_trial) {
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

static refusal_t flash_commit(const request_t *request)
{
    if (!device.receiving_image || device.image_next != device.image_length) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.receiving_image = false;
    model_reset(&device.model);
    if ((request->flags & COMMIT_FLAG_TRIAL) != 0) {
        refusal_t refusal = slots_try(&device.slots, device.image_length, device.image_digest);
        if (refusal.status == STATUS_OK) {
            put_model_on_trial();
        }
        return refusal;
    }
    refusal_t refusal = slots_commit(&device.slots, device.image_length, device.image_digest, 0);
    if (refusal.status == STATUS_OK) {
        put_model();
    }
    return refusal;
}

/* How long a request of RUN or LEARN took: computing, and all of it. */
static void put_times(uint8_t *at, const request_t *request)
{
    store_u32(at, device.model.ticks);
    store_u32(at + 4, board_ticks() - request->arrived);
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
    device.model.ticks = 0;
    for (uint32_t i = 0; i < RUN_REPLY_LENGTH / 4; i++) {
        reply_put_u32(0); /* known at the end */
    }
    for (uint32_t at = RUN_HEADER_LENGTH; refusal.status == STATUS_OK && at < request->length; at += 4) {
        bool completed;
        refusal = model_run_word(&device.model, &device.slots.model, load_u32(request->payload + at), probabilities,
                                 &completed);
        if (refusal.status != STATUS_OK || !completed) {
            continue;
        }
        rows++;
        if (reply_length() + row_bytes <= PAYLOAD_BYTES) {
            reply_put_bytes((const uint8_t *)device.model.outputs, row_bytes);
        }
    }
    uint32_t words = (reply_length() - REPLY_HEADER_LENGTH - RUN_REPLY_LENGTH) / 4;
    if (words != rows * device.slots.model.outputs) {
        /* Not all rows fit: none is sent, the last one can be read. */
        reply_truncate(REPLY_HEADER_LENGTH + RUN_REPLY_LENGTH);
        words = 0;
    }
    store_u16(reply_payload() + REPLY_HEADER_LENGTH, rows);
    store_u16(reply_payload() + REPLY_HEADER_LENGTH + 2, words);
    put_times(reply_payload() + REPLY_HEADER_LENGTH + 4, request);
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
    } else if (request->payload[0] == REGION_LEARNED && device.model.learning) {
        bytes = (const uint8_t *)device.model.parameters;
        size = 4 * nn_parameter_count(&device.model.trained);
    } else {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (offset > size || length > size - offset) {
        return refuse(STATUS_TOO_LARGE, 0, length, offset > size ? 0 : size - offset);
    }
    const uint32_t piece_limit = PAYLOAD_BYTES - REPLY_HEADER_LENGTH - READ_REPLY_HEADER_LENGTH;
    for (;;) {
        uint32_t piece = length < piece_limit ? length : piece_limit;
        reply_put_u32(offset);
        reply_put_bytes(bytes + offset, piece);
        offset += piece;
        length -= piece;
        if (length == 0 || uart_available()) {
            return accept();
        }
        reply_transmit();
        reply_begin(request);
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
    const uint8_t *at = request->payload;
    uint8_t flags = at[7];
    if ((flags & ~(unsigned)(LEARN_BEGIN_FLAG_WEIGHTED | LEARN_BEGIN_FLAG_KEEP)) != 0 || at[9] != 0 || at[10] != 0 ||
        at[11] != 0) {
        return refuse(STATUS_BAD_ARGUMENT, 0, flags, load_u32(at + 8) >> 8);
    }
    nn_rule_t rule = {at[6],
                      float_of_bits(load_u32(at)),
                      {float_of_bits(load_u32(at + 12)), float_of_bits(load_u32(at + 16))},
                      float_of_bits(load_u32(at + 20)),
                      float_of_bits(load_u32(at + 24)),
                      float_of_bits(load_u32(at + 28))};
    learning_t learning = {load_u16(at + 4), at[6], at[8], (flags & LEARN_BEGIN_FLAG_KEEP) != 0};
    refusal = model_learn_begin(&device.model, &device.slots.model, &rule, &learning,
                                (flags & LEARN_BEGIN_FLAG_WEIGHTED) != 0, &used);
    reply_put_u32(used);
    return refusal;
}

static refusal_t learn_rate(const request_t *request)
{
    float rate = float_of_bits(load_u32(request->payload));
    if (!device.model.learning) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (!nn_is_finite(rate) || !(rate > 0.0f)) {
        return refuse(STATUS_BAD_ARGUMENT, 0, 0, 0);
    }
    device.model.rule.learning_rate = rate;
    return accept();
}

static refusal_t learn(const request_t *request)
{
    float loss = 0.0f;
    if (!device.model.learning) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = open_stream(request);
    device.model.ticks = 0;
    for (uint32_t at = RUN_HEADER_LENGTH; refusal.status == STATUS_OK && at < request->length; at += 4) {
        refusal = model_learn_word(&device.model, &device.slots.model, load_u32(request->payload + at), &loss);
    }
    if (refusal.status == STATUS_OK && (request->flags & LEARN_FLAG_END_OF_EPOCH) != 0) {
        refusal = model_learn_flush(&device.model);
    }
    if (refusal.status != STATUS_OK) {
        model_reset(&device.model); /* nothing of this run is kept */
    }
    reply_put_u32(device.model.samples_seen);
    reply_put_u32(bits_of_float(loss));
    reply_put_u32(0);
    reply_put_u32(0);
    put_times(reply_payload() + REPLY_HEADER_LENGTH + 8, request);
    return refusal;
}

/* The serving image with the learned parameters in place of its own goes into the spare slot. */
static refusal_t learn_commit(void)
{
    const image_t *image = &device.slots.model;
    uint32_t digest[8];
    if (!device.model.learning || device.model.filled != 0 || device.model.batch_filled != 0 || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.model.learning = false;
    const uint8_t *serving = slots_image(device.slots.active);
    const uint8_t *spare = slots_image(slots_spare(&device.slots));
    uint32_t length = device.slots.info[device.slots.active].length;
    uint32_t first = model_learned_offset(&device.model, image);
    uint32_t begin = (uint32_t)((const uint8_t *)(image->parameters + first) - serving);
    uint32_t bytes = 4 * (image->parameter_count - first);
    const uint8_t *learned = (const uint8_t *)model_learned(&device.model);
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

/* The flags that a message knows; all others are reserved. */
static uint8_t known_flags(uint8_t type)
{
    switch (type) {
    case MESSAGE_FLASH_COMMIT:
        return COMMIT_FLAG_TRIAL;
    case MESSAGE_RUN:
        return RUN_FLAG_PROBABILITIES;
    case MESSAGE_LEARN:
        return LEARN_FLAG_END_OF_EPOCH;
    default:
        return 0;
    }
}

refusal_t messages_carry_out(const request_t *request)
{
    refusal_t refusal;
    uint8_t known = known_flags(request->type);
    if ((request->flags & ~(uint32_t)known) != 0) {
        return refuse(STATUS_BAD_ARGUMENT, 0, request->flags, known);
    }
    switch (request->type) {
    case MESSAGE_HELLO:
        return hello(request);
    case MESSAGE_VERIFY:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? verify() : refusal;
    case MESSAGE_ROLLBACK:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? rollback() : refusal;
    case MESSAGE_ECHO:
        return echo(request);
    case MESSAGE_FLASH_BEGIN:
        refusal = expect_length(request, FLASH_BEGIN_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? flash_begin(request) : refusal;
    case MESSAGE_FLASH_DATA:
        return flash_data(request);
    case MESSAGE_FLASH_COMMIT:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? flash_commit(request) : refusal;
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
    case MESSAGE_LEARN_RATE:
        refusal = expect_length(request, LEARN_RATE_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? learn_rate(request) : refusal;
    case MESSAGE_LEARN_KEEP:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? model_learn_keep(&device.model) : refusal;
    case MESSAGE_LEARN_ABORT:
        refusal = expect_length(request, 0);
        return refusal.status == STATUS_OK ? learn_abort() : refusal;
    default:
        return refuse(STATUS_BAD_MESSAGE, request->type, 0, 0);
    }
}

void messages_repeat_credit(const request_t *request)
{
    if (device.receiving_image) {
        reply_aside(request, STATUS_OK, device.image_next, credit_limit());
    }
}

void messages_boot(void)
{
    slots_boot(&device.slots);
}
