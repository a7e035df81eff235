#include "slots.h"

#include "blake2s.h"
#include "board.h"
#include "bytes.h"
#include "frame.h"
#include "uart.h"

#define ERASED 0xFFFFFFFFu

STATIC_ASSERT(offsetof(slot_record_t, erase_count) + 4 == RECORD_LENGTH, record_fields);
STATIC_ASSERT(offsetof(slot_record_t, crc) == RECORD_CRC_OFFSET, record_crc);
STATIC_ASSERT(offsetof(slot_record_t, commit) == RECORD_COMMIT_OFFSET, record_commit);
STATIC_ASSERT(offsetof(slot_record_t, retired) == RECORD_RETIRED_OFFSET, record_retired);
STATIC_ASSERT(sizeof(slot_record_t) == RECORD_BYTES, record);

static uint32_t slot_address(unsigned slot)
{
    return SLOTS_ADDRESS + slot * SLOT_BYTES;
}

static uint32_t image_address(unsigned slot)
{
    return slot_address(slot) + PAGE_BYTES;
}

const slot_record_t *slots_record(unsigned slot)
{
    return (const slot_record_t *)(uintptr_t)slot_address(slot);
}

const uint8_t *slots_image(unsigned slot)
{
    return (const uint8_t *)(uintptr_t)image_address(slot);
}

static bool same_digest(const uint32_t a[8], const uint32_t b[8])
{
    uint32_t difference = 0;
    for (unsigned i = 0; i < 8; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

/* Every check of the boot rule, cheapest first. */
static uint8_t slot_state(unsigned slot, image_t *image)
{
    const slot_record_t *record = slots_record(slot);
    uint32_t digest[8];
    if (record->magic == ERASED) {
        return SLOT_STATE_EMPTY;
    }
    if (record->magic != RECORD_MAGIC || record->format != RECORD_FORMAT) {
        return SLOT_STATE_FOREIGN;
    }
    if (record->commit == ERASED) {
        return SLOT_STATE_UNCOMMITTED;
    }
    if (record->commit != RECORD_COMMIT || frame_crc32(0, (const uint8_t *)record, RECORD_CRC_OFFSET) != record->crc ||
        record->length > SLOT_IMAGE_BYTES) {
        return SLOT_STATE_BROKEN;
    }
    if (record->retired != ERASED) {
        return SLOT_STATE_RETIRED;
    }
    if (image_parse(slots_image(slot), record->length, image) != 0) {
        return SLOT_STATE_BROKEN;
    }
    blake2s(slots_image(slot), record->length, digest);
    return same_digest(digest, record->digest) ? SLOT_STATE_VALID : SLOT_STATE_BROKEN;
}

void slots_boot(slots_t *slots)
{
    slots->active = NO_SLOT;
    slots->on_trial = false;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const slot_record_t *record = slots_record(slot);
        slot_info_t *info = &slots->info[slot];
        image_t image;
        info->state = slot_state(slot, &image);
        bool readable = info->state == SLOT_STATE_VALID || info->state == SLOT_STATE_RETIRED;
        info->flags = readable ? record->flags : 0;
        info->generation = readable ? record->generation : 0;
        info->length = readable ? record->length : 0;
        /* A cut during erasing takes the count with it; the slots take turns, so the other's is close. */
        info->erase_count = readable ? record->erase_count : slots->info[0].erase_count * slot;
        if (info->state == SLOT_STATE_VALID &&
            (slots->active == NO_SLOT || info->generation > slots->info[slots->active].generation)) {
            slots->active = (uint8_t)slot;
            slots->model = image;
        }
    }
    if (slots->info[0].erase_count == 0) {
        slots->info[0].erase_count = slots->info[1].erase_count;
    }
}

unsigned slots_spare(const slots_t *slots)
{
    if (slots->on_trial) {
        return slots->active;
    }
    return slots->active == 0 ? 1 : 0;
}

void slots_erase_spare(slots_t *slots, uint32_t length)
{
    unsigned spare = slots_spare(slots);
    slot_info_t *info = &slots->info[spare];
    board_flash_erase_page(slot_address(spare));
    info->state = SLOT_STATE_EMPTY;
    info->length = 0;
    info->flags = 0;
    info->erase_count++;
    for (uint32_t offset = 0; offset < length; offset += PAGE_BYTES) {
        board_flash_erase_page(image_address(spare) + offset);
    }
}

/* An erased word stays as it is: programming it would change nothing and wear it. */
static void program_word(uint32_t address, uint32_t value)
{
    if (value != ERASED) {
        board_flash_write_word(address, value);
    }
}

void slots_program(const slots_t *slots, uint32_t offset, const uint8_t *bytes, uint32_t length)
{
    uint32_t address = image_address(slots_spare(slots)) + offset;
    for (uint32_t i = 0; i < length; i += 4) {
        program_word(address + i, load_u32(bytes + i));
        uart_poll();
    }
}

static uint32_t highest_generation(const slots_t *slots)
{
    uint32_t a = slots->info[0].generation;
    uint32_t b = slots->info[1].generation;
    return a > b ? a : b;
}

/* Is the image in a slot the one announced, and can it run here? */
static refusal_t check_image(unsigned slot, uint32_t length, const uint32_t digest[8], image_t *image)
{
    uint32_t read_back[8];
    blake2s(slots_image(slot), length, read_back);
    if (!same_digest(read_back, digest)) {
        return refuse(STATUS_BAD_DIGEST, 0, 0, 0);
    }
    uint8_t fault = image_parse(slots_image(slot), length, image);
    if (fault != 0) {
        return refuse(STATUS_BAD_IMAGE, fault, 0, 0);
    }
    if (image_inference_bytes(image) > ARENA_BYTES) {
        return refuse(STATUS_NO_MEMORY, 0, image_inference_bytes(image), ARENA_BYTES);
    }
    return accept();
}

refusal_t slots_try(slots_t *slots, uint32_t length, const uint32_t digest[8])
{
    unsigned spare = slots_spare(slots);
    image_t image;
    refusal_t refusal = check_image(spare, length, digest, &image);
    if (refusal.status == STATUS_OK) {
        slots->active = (uint8_t)spare;
        slots->on_trial = true;
        slots->model = image;
        slots->info[spare].length = length;
    }
    return refusal;
}

refusal_t slots_commit(slots_t *slots, uint32_t length, const uint32_t digest[8], uint16_t flags)
{
    unsigned spare = slots_spare(slots);
    image_t image;
    union {
        slot_record_t record;
        uint32_t words[RECORD_BYTES / 4];
    } next;

    refusal_t refusal = check_image(spare, length, digest, &image);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }

    for (unsigned i = 0; i < RECORD_BYTES / 4; i++) {
        next.words[i] = ERASED;
    }
    next.record.magic = RECORD_MAGIC;
    next.record.format = RECORD_FORMAT;
    next.record.flags = flags;
    next.record.generation = highest_generation(slots) + 1;
    next.record.length = length;
    copy_bytes((uint8_t *)next.record.digest, (const uint8_t *)digest, DIGEST_BYTES);
    next.record.erase_count = slots->info[spare].erase_count;
    next.record.crc = frame_crc32(0, (const uint8_t *)&next, RECORD_CRC_OFFSET);
    for (uint32_t i = 0; i < RECORD_COMMIT_OFFSET / 4; i++) {
        program_word(slot_address(spare) + 4 * i, next.words[i]);
    }
    board_flash_write_word(slot_address(spare) + RECORD_COMMIT_OFFSET, RECORD_COMMIT);

    slots_boot(slots); /* the rule that a restart would follow decides, not what was meant */
    if (slots->active != spare) {
        return refuse(STATUS_FLASH_FAILED, 0, slot_address(spare), 0);
    }
    return accept();
}

refusal_t slots_rollback(slots_t *slots)
{
    if (slots->active == NO_SLOT) {
        return refuse(STATUS_NO_MODEL, 0, 0, 0);
    }
    unsigned retiring = slots->active;
    if (slots->info[slots_spare(slots)].state != SLOT_STATE_VALID) {
        return refuse(STATUS_NO_OTHER_MODEL, 0, 0, 0);
    }
    board_flash_write_word(slot_address(retiring) + RECORD_RETIRED_OFFSET, 0);
    slots_boot(slots);
    if (slots->active == retiring || slots->active == NO_SLOT) {
        return refuse(STATUS_FLASH_FAILED, 0, slot_address(retiring), 0);
    }
    return accept();
}
