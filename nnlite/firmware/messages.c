#include "messages.h"

#include "blake2s.h"
#include "bytes.h"
#include "frame.h"
#include "incoming.h"
#include "model.h"
#include "slots.h"
#include "uart.h"

/* Every FLASH_DATA but the last carries this much, so that credit in bytes of image bounds bytes on the line. */
#define BLOCK_BYTES (PAYLOAD_BYTES - FLASH_DATA_HEADER_LENGTH)
/* As many blocks with all that frames them, and the stray bytes of a retransmission, as the receive buffer holds. */
#define WINDOW_BYTES ((RECEIVE_BUFFER_BYTES - 64u) / (FRAME_ENCODED_BYTES + 1u) * BLOCK_BYTES)

STATIC_ASSERT(WINDOW_BYTES / BLOCK_BYTES >= 3, window_is_long_enough);
STATIC_ASSERT(BLOCK_BYTES % 4 == 0, blocks_are_words);

static struct {
    slots_t slots;
    model_t model;
    incoming_t incoming;
} device;

/* Where slots are digested: in the state of the image that is coming in, since none is then. */
static blake2s_t *digest_room(void)
{
    return &device.incoming.read_back;
}

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
    device.incoming.open = false;
    model_reset(&device.model);
    if (device.slots.on_trial) {
        slots_boot(&device.slots, digest_room());
    }
}

/* Of HELLO's fields without the texts in two of them, and of the status word. */
#define HELLO_FIXED_BYTES 197u
STATIC_ASSERT(HELLO_FIXED_BYTES + sizeof(FIRMWARE_VERSION) - 1 + sizeof(BOARD_NAME) - 1 <= PAYLOAD_BYTES,
              hello_fits_a_frame);

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
    reply_put_u8(HELLO_FIELD_BAUD_RATES);
    reply_put_u8(8);
    reply_put_u32(UART_BAUD);
    reply_put_u32(UART_FAST_BAUD);
    put_field(HELLO_FIELD_TICK_HZ, board_tick_hz());
    put_field(HELLO_FIELD_UPTIME_SECONDS, board_uptime_seconds());
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
    reply_put_u32(device.incoming.length);
    reply_put_bytes((const uint8_t *)device.incoming.digest, DIGEST_BYTES);
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

/* The caller changes the rate once the reply is sent. */
static refusal_t baud(const request_t *request)
{
    uint32_t rate = load_u32(request->payload);
    return rate == UART_BAUD || rate == UART_FAST_BAUD ? accept()
                                                       : refuse(STATUS_BAD_ARGUMENT, 0, rate, UART_FAST_BAUD);
}

static refusal_t verify(void)
{
    unsigned active = device.slots.active;
    refusal_t refusal = expect_model();
    if (device.incoming.open || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0,
                      0); /* the boot rule would forget what is known of the slot being filled */
    }
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    slots_boot(&device.slots, digest_room());
    if (device.slots.active != active) {
        drop_unfinished();
        return refuse(STATUS_BAD_DIGEST, 0, 0, 0);
    }
    put_model();
    return accept();
}

static refusal_t rollback(void)
{
    if (device.model.learning || device.incoming.open || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    refusal_t refusal = slots_rollback(&device.slots, digest_room());
    if (refusal.status == STATUS_OK) {
        model_reset(&device.model);
        put_model();
    }
    return refusal;
}

/* First offset that may not be sent yet. */
static uint32_t credit_limit(void)
{
    uint32_t ahead = device.incoming.sent_length - device.incoming.next;
    return device.incoming.next + (ahead < WINDOW_BYTES ? ahead : WINDOW_BYTES);
}

static void put_credit(void)
{
    reply_put_u32(device.incoming.next);
    reply_put_u32(credit_limit());
}

/* CRC-32 of each page: only those that differ need to be sent. */
static refusal_t pages(const request_t *request)
{
    const uint32_t most = (PAYLOAD_BYTES - REPLY_HEADER_LENGTH) / PAGES_ENTRY_LENGTH;
    uint32_t first = load_u32(request->payload);
    uint32_t count = load_u32(request->payload + 4);
    if (device.incoming.open || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (first > IMAGE_PAGES || count > IMAGE_PAGES - first || count > most) {
        return refuse(STATUS_TOO_LARGE, 0, count, first > IMAGE_PAGES ? 0 : IMAGE_PAGES - first);
    }
    const uint8_t *image = slots_image(slots_spare(&device.slots));
    for (uint32_t page = first; page < first + count; page++) {
        reply_put_u8(slots_page_is_whole(&device.slots, page));
        reply_put_u32(frame_crc32(0, image + page * PAGE_BYTES, PAGE_BYTES));
    }
    return accept();
}

/* The pages to be sent, as a request names them: all that are torn must be among them. */
static refusal_t parse_pages(const uint8_t *bits, uint32_t count, pages_t *sent)
{
    for (uint32_t page = 0; page < (count + 7u) / 8u * 8u; page++) {
        bool named = (bits[page / 8u] >> (page % 8u) & 1u) != 0;
        if (named ? page >= count : page < count && !slots_page_is_whole(&device.slots, page)) {
            return refuse(STATUS_BAD_ARGUMENT, 0, page, count);
        }
        if (named) {
            pages_add(sent, page);
        }
    }
    return accept();
}

static refusal_t flash_begin(const request_t *request)
{
    pages_t sent = {{0}};
    if (request->length < FLASH_BEGIN_HEADER_LENGTH) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, FLASH_BEGIN_HEADER_LENGTH);
    }
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
    uint32_t count = pages_of(length);
    refusal_t refusal = expect_length(request, FLASH_BEGIN_HEADER_LENGTH + (count + 7u) / 8u);
    if (refusal.status == STATUS_OK) {
        refusal = parse_pages(request->payload + FLASH_BEGIN_HEADER_LENGTH, count, &sent);
    }
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    slots_erase_spare(&device.slots, &sent);
    incoming_begin(&device.incoming, length, request->payload + 4, &sent);
    put_credit();
    return accept();
}

static refusal_t flash_data(const request_t *request)
{
    if (!device.incoming.open) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    if (request->length < FLASH_DATA_HEADER_LENGTH) {
        return refuse(STATUS_BAD_MESSAGE, request->type, request->length, FLASH_DATA_HEADER_LENGTH);
    }
    uint32_t rest = device.incoming.sent_length - device.incoming.next;
    uint32_t length = rest < BLOCK_BYTES ? rest : BLOCK_BYTES;
    if (load_u32(request->payload) == device.incoming.next && rest != 0) {
        if (request->length != FLASH_DATA_HEADER_LENGTH + length) {
            return refuse(STATUS_BAD_MESSAGE, request->type, request->length, FLASH_DATA_HEADER_LENGTH + length);
        }
        const uint8_t *words = request->payload + FLASH_DATA_HEADER_LENGTH; /* aligned: see FRAME_PADDING */
        incoming_take(&device.incoming, &device.slots, (const uint32_t *)(const void *)words, length / 4);
    }
    put_credit();
    return accept();
}

static refusal_t flash_commit(const request_t *request)
{
    bool trial = (request->flags & COMMIT_FLAG_TRIAL) != 0;
    if (!device.incoming.open || !incoming_is_whole(&device.incoming)) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.incoming.open = false;
    model_reset(&device.model);
    if (!incoming_digest_matches(&device.incoming, &device.slots)) {
        return refuse(STATUS_BAD_DIGEST, 0, 0, 0);
    }
    refusal_t refusal = trial ? slots_try(&device.slots, device.incoming.length)
                              : slots_commit(&device.slots, device.incoming.length, device.incoming.digest, 0);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    if (trial) {
        put_model_on_trial();
    } else {
        put_model();
    }
    return accept();
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
    const uint8_t *heard;
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
        if (length == 0 || uart_waiting(&heard) != 0) {
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
    if (device.model.learning || device.incoming.open) {
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

/* What is to lie in the spare slot after learning: the serving image with other parameters. */
typedef struct {
    const uint32_t *serving;
    const uint32_t *learned;
    uint32_t first; /* word of the serving image that `learned` replaces */
    uint32_t end;
} learned_image_t;

static uint32_t learned_word(const learned_image_t *image, uint32_t word)
{
    return word >= image->first && word < image->end ? image->learned[word - image->first] : image->serving[word];
}

static void program_learned(const learned_image_t *image, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t end = from < image->first ? image->first : from < image->end ? image->end : to;
        const uint32_t *words =
            from >= image->first && from < image->end ? image->learned + (from - image->first) : image->serving + from;
        end = end < to ? end : to;
        slots_program(&device.slots, 4 * from, words, end - from, 0);
        from = end;
    }
}

/* The serving image with the learned parameters in place of its own goes into the spare slot. */
static refusal_t learn_commit(void)
{
    const image_t *image = &device.slots.model;
    const uint32_t page_words = PAGE_BYTES / 4;
    blake2s_t *digest = digest_room();
    if (!device.model.learning || device.model.filled != 0 || device.model.batch_filled != 0 || device.slots.on_trial) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    device.model.learning = false;
    const uint32_t *serving = (const uint32_t *)(const void *)slots_image(device.slots.active);
    const uint32_t *spare = (const uint32_t *)(const void *)slots_image(slots_spare(&device.slots));
    uint32_t words = device.slots.info[device.slots.active].length / 4;
    uint32_t offset = model_learned_offset(&device.model, image);
    uint32_t first = (uint32_t)((const uint32_t *)(const void *)(image->parameters + offset) - serving);
    learned_image_t next = {serving, (const uint32_t *)(const void *)model_learned(&device.model), first,
                            first + image->parameter_count - offset};
    pages_t replaced = {{0}};
    for (uint32_t word = 0; word < words; word++) {
        if (spare[word] != learned_word(&next, word) || !slots_page_is_whole(&device.slots, word / page_words)) {
            pages_add(&replaced, word / page_words);
            word |= page_words - 1; /* on to the next page */
        }
    }
    slots_erase_spare(&device.slots, &replaced);
    for (uint32_t page = 0; page < pages_of(4 * words); page++) {
        uint32_t end = (page + 1) * page_words < words ? (page + 1) * page_words : words;
        if (pages_have(&replaced, page)) {
            program_learned(&next, page * page_words, end);
            slots_page_done(&device.slots, page);
        }
    }
    for (uint32_t word = 0; word < words; word++) {
        if (spare[word] != learned_word(&next, word)) {
            return refuse(STATUS_FLASH_FAILED, 0, 4 * word, 0);
        }
    }
    blake2s(digest, (const uint8_t *)spare, 4 * words);
    refusal_t refusal = slots_commit(&device.slots, 4 * words, digest->h, RECORD_FLAG_LEARNED);
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
    case MESSAGE_BAUD:
        refusal = expect_length(request, BAUD_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? baud(request) : refusal;
    case MESSAGE_PAGES:
        refusal = expect_length(request, PAGES_REQUEST_LENGTH);
        return refusal.status == STATUS_OK ? pages(request) : refusal;
    case MESSAGE_FLASH_BEGIN:
        return flash_begin(request);
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
    if (device.incoming.open) {
        reply_aside(request, STATUS_OK, device.incoming.next, credit_limit());
    }
}

void messages_idle(void)
{
    if (device.incoming.open) {
        incoming_digest_step(&device.incoming, &device.slots);
    }
}

void messages_boot(void)
{
    slots_boot(&device.slots, digest_room());
}
