#include "slots.h"

#include "blake2s.h"
#include "board.h"
#include "bytes.h"
#include "flash.h"
#include "frame.h"
#include "journal.h"

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

/* The checks of the boot rule that need the record only, cheapest first. */
static uint8_t record_state(unsigned slot)
{
    const slot_record_t *record = slots_record(slot);
    if (record->magic == FLASH_ERASED) {
        return SLOT_STATE_EMPTY;
    }
    if (record->magic != RECORD_MAGIC || record->format != RECORD_FORMAT) {
        return SLOT_STATE_FOREIGN;
    }
    if (record->commit == FLASH_ERASED) {
        return SLOT_STATE_UNCOMMITTED;
    }
    if (record->commit != RECORD_COMMIT || frame_crc32(0, (const uint8_t *)record, RECORD_CRC_OFFSET) != record->crc ||
        record->length > SLOT_IMAGE_BYTES) {
        return SLOT_STATE_BROKEN;
    }
    return record->retired == FLASH_ERASED ? SLOT_STATE_VALID : SLOT_STATE_RETIRED;
}

/* All checks of the boot rule. */
static uint8_t slot_state(unsigned slot, image_t *image, blake2s_t *room)
{
    const slot_record_t *record = slots_record(slot);
    uint8_t state = record_state(slot);
    if (state != SLOT_STATE_VALID) {
        return state;
    }
    if (image_parse(slots_image(slot), record->length, image) != 0) {
        return SLOT_STATE_BROKEN;
    }
    blake2s(room, slots_image(slot), record->length);
    return same_digest(room->h, record->digest) ? SLOT_STATE_VALID : SLOT_STATE_BROKEN;
}

/* What a slot says of itself, once its state is known. */
static void read_info(slots_t *slots, unsigned slot, uint8_t state)
{
    const slot_record_t *record = slots_record(slot);
    const journal_t *journal = journal_at(slot_address(slot));
    slot_info_t *info = &slots->info[slot];
    bool readable = state == SLOT_STATE_VALID || state == SLOT_STATE_RETIRED;
    info->state = state;
    info->flags = readable ? record->flags : 0;
    info->generation = readable ? record->generation : 0;
    info->length = readable ? record->length : 0;
    info->erase_count = readable ? record->erase_count : journal_holds(journal) ? journal->head.erase_count : 0;
}

void slots_boot(slots_t *slots, blake2s_t *room)
{
    slots->active = NO_SLOT;
    slots->on_trial = false;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        slot_info_t *info = &slots->info[slot];
        image_t image;
        read_info(slots, slot, slot_state(slot, &image, room));
        if (info->state == SLOT_STATE_VALID &&
            (slots->active == NO_SLOT || info->generation > slots->info[slots->active].generation)) {
            slots->active = (uint8_t)slot;
            slots->model = image;
        }
    }
    /* A cut during erasing takes the count with it; the slots take turns, so the other's is close. */
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slots->info[slot].erase_count == 0) {
            slots->info[slot].erase_count = slots->info[1 - slot].erase_count;
        }
    }
}

unsigned slots_spare(const slots_t *slots)
{
    if (slots->on_trial) {
        return slots->active;
    }
    return slots->active == 0 ? 1 : 0;
}

bool slots_page_is_whole(const slots_t *slots, uint32_t page)
{
    return !journal_page_is_torn(journal_at(slot_address(slots_spare(slots))), page);
}

void slots_erase_spare(slots_t *slots, const pages_t *pages)
{
    unsigned spare = slots_spare(slots);
    uint32_t address = slot_address(spare);
    slot_info_t *info = &slots->info[spare];
    pages_t erased = {{0}};
    info->state = SLOT_STATE_EMPTY;
    info->length = 0;
    info->flags = 0;
    info->erase_count++;
    /* While the old journal still says that they are torn. */
    for (uint32_t page = 0; page < IMAGE_PAGES; page++) {
        if (!slots_page_is_whole(slots, page)) {
            board_flash_erase_page(image_address(spare) + page * PAGE_BYTES);
            pages_add(&erased, page);
        }
    }
    board_flash_erase_page(address);
    journal_begin(address, info->erase_count, pages);
    for (uint32_t page = 0; page < IMAGE_PAGES; page++) {
        if (pages_have(pages, page) && !pages_have(&erased, page)) {
            board_flash_erase_page(image_address(spare) + page * PAGE_BYTES);
        }
    }
}

void slots_program(const slots_t *slots, uint32_t offset, const uint32_t *words, uint32_t count, blake2s_t *digest)
{
    flash_write(image_address(slots_spare(slots)) + offset, words, count, digest);
}

void slots_page_done(const slots_t *slots, uint32_t page)
{
    journal_page_done(slot_address(slots_spare(slots)), page);
}

static uint32_t highest_generation(const slots_t *slots)
{
    uint32_t a = slots->info[0].generation;
    uint32_t b = slots->info[1].generation;
    return a > b ? a : b;
}

/* Is the image in a slot one that can run here? */
static refusal_t check_image(unsigned slot, uint32_t length, image_t *image)
{
    uint8_t fault = image_parse(slots_image(slot), length, image);
    if (fault != 0) {
        return refuse(STATUS_BAD_IMAGE, fault, 0, 0);
    }
    if (image_inference_bytes(image) > ARENA_BYTES) {
        return refuse(STATUS_NO_MEMORY, 0, image_inference_bytes(image), ARENA_BYTES);
    }
    return accept();
}

refusal_t slots_try(slots_t *slots, uint32_t length)
{
    unsigned spare = slots_spare(slots);
    image_t image;
    refusal_t refusal = check_image(spare, length, &image);
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

    refusal_t refusal = check_image(spare, length, &image);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }

    for (unsigned i = 0; i < RECORD_BYTES / 4; i++) {
        next.words[i] = FLASH_ERASED;
    }
    next.record.magic = RECORD_MAGIC;
    next.record.format = RECORD_FORMAT;
    next.record.flags = flags;
    next.record.generation = highest_generation(slots) + 1;
    next.record.length = length;
    copy_bytes((uint8_t *)next.record.digest, (const uint8_t *)digest, DIGEST_BYTES);
    next.record.erase_count = slots->info[spare].erase_count;
    next.record.crc = frame_crc32(0, (const uint8_t *)&next, RECORD_CRC_OFFSET);
    flash_write(slot_address(spare), next.words, RECORD_COMMIT_OFFSET / 4, 0);
    next.record.commit = RECORD_COMMIT;
    flash_write(slot_address(spare) + RECORD_COMMIT_OFFSET, &next.record.commit, 1, 0);

    /* What flash holds decides, not what was meant: a restart would follow the same rule. */
    read_info(slots, spare, record_state(spare));
    if (slots->info[spare].state != SLOT_STATE_VALID || !same_digest(slots_record(spare)->digest, digest)) {
        return refuse(STATUS_FLASH_FAILED, 0, slot_address(spare), 0);
    }
    slots->active = (uint8_t)spare;
    slots->model = image;
    return accept();
}

refusal_t slots_rollback(slots_t *slots, blake2s_t *room)
{
    const uint32_t retired = 0;
    image_t image;
    if (slots->active == NO_SLOT) {
        return refuse(STATUS_NO_MODEL, 0, 0, 0);
    }
    unsigned retiring = slots->active;
    unsigned other = slots_spare(slots);
    read_info(slots, other, slot_state(other, &image, room)); /* anew: after this there is no way back */
    if (slots->info[other].state != SLOT_STATE_VALID) {
        return refuse(STATUS_NO_OTHER_MODEL, 0, 0, 0);
    }
    flash_write(slot_address(retiring) + RECORD_RETIRED_OFFSET, &retired, 1, 0);
    read_info(slots, retiring, record_state(retiring));
    if (slots->info[retiring].state == SLOT_STATE_VALID) {
        return refuse(STATUS_FLASH_FAILED, 0, slot_address(retiring), 0);
    }
    slots->active = (uint8_t)other;
    slots->model = image;
    return accept();
}
