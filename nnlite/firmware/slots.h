/* Two slots in flash, of which one serves (docs/FORMAT.md, "Slot"). Only the other one is ever erased. */
#ifndef NNLITE_SLOTS_H
#define NNLITE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "blake2s.h"
#include "image.h"
#include "pages.h"
#include "refusal.h"

#define SLOT_COUNT 2u
#define NO_SLOT 255u

/* The record page as it lies in flash. */
typedef struct {
    uint32_t magic;
    uint16_t format;
    uint16_t flags;
    uint32_t generation;
    uint32_t length;
    uint32_t digest[8];
    uint32_t tag[8];
    uint32_t erase_count;
    uint32_t reserved[9];
    uint32_t crc;
    uint32_t commit;
    uint32_t retired;
} slot_record_t;

typedef struct {
    uint8_t state; /* SLOT_STATE_ */
    uint16_t flags;
    uint32_t generation;
    uint32_t length;
    uint32_t erase_count;
} slot_info_t;

typedef struct {
    slot_info_t info[SLOT_COUNT];
    uint8_t active; /* NO_SLOT for none */
    bool on_trial;  /* the active slot's image has no record: the next slots_boot forgets it */
    image_t model;  /* of the active slot */
} slots_t;

/* Read both slots and choose the one that serves; they are digested in `room`. */
void slots_boot(slots_t *slots, blake2s_t *room);

const slot_record_t *slots_record(unsigned slot);
const uint8_t *slots_image(unsigned slot);

/* The slot that may be written: never the one with the model that a restart would choose. */
unsigned slots_spare(const slots_t *slots);

/* Whether a page of the spare slot's image holds what was written there; else a cut has left it torn. */
bool slots_page_is_whole(const slots_t *slots, uint32_t page);

/* Erase the spare slot's record page and these pages of its image, and any that is torn; from now on they are torn
   until slots_page_done. */
void slots_erase_spare(slots_t *slots, const pages_t *pages);

/* Program words of the spare slot's image, `offset` in bytes; what goes on meanwhile: see flash_write. */
void slots_program(const slots_t *slots, uint32_t offset, const uint32_t *words, uint32_t count, blake2s_t *digest);

/* All of a page is programmed. */
void slots_page_done(const slots_t *slots, uint32_t page);

/* Check the image in the spare slot, whose digest is known to be right, and make it the one that serves: record first,
   commit word last. When it is refused, the old model serves on. */
refusal_t slots_commit(slots_t *slots, uint32_t length, const uint32_t digest[8], uint16_t flags);

/* The same without a record. */
refusal_t slots_try(slots_t *slots, uint32_t length);

/* Retire the model that serves; the other slot's, digested in `room`, takes its place. */
refusal_t slots_rollback(slots_t *slots, blake2s_t *room);

#endif
