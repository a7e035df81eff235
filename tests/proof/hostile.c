/* Images of any bytes into firmware/image.c and firmware/slots.c: on stdin, each `length u32, bytes`; on stdout, for
   each what result_t says. The first one is a good one. The board below is memory; slots lie where 32-bit addresses
   reach. Built natively with sanitizers; tests/proof/hostile_native.py has the images. */
#define _GNU_SOURCE /* MAP_FIXED_NOREPLACE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "board.h"
#include "slots.h"
#include "wire.h"

typedef struct {
    uint32_t fault; /* of image_parse, which is given the bytes and not one more */
    uint32_t
        status; /* of slots_commit, once they lie in the spare slot; of a length that FLASH_BEGIN refuses, as there */
    uint32_t detail;
    uint32_t serves; /* whether, after a restart, the image serves that should: the last one that was accepted */
} result_t;

/* The arena, and its end as the linker script gives it. */
float arena_start[ARENA_FLOATS];
__asm__(".globl arena_end\n.set arena_end, arena_start + 4 * " ARENA_FLOATS_TEXT);

bool board_uart_read(uint8_t *byte)
{
    (void)byte;
    return false;
}

void board_uart_write(uint8_t byte)
{
    (void)byte;
}

bool board_uart_sent(void)
{
    return true;
}

void board_uart_set_rate(uint32_t baud)
{
    (void)baud;
}

/* What lies in no slot is code: firmware that erases or programs it has gone wrong. */
static uint32_t *slot_word(uint32_t address)
{
    if (address < SLOTS_ADDRESS || address >= SLOTS_ADDRESS + 2 * SLOT_BYTES || address % 4 != 0) {
        abort();
    }
    return (uint32_t *)(uintptr_t)address;
}

void board_flash_erase_page(uint32_t address)
{
    memset(slot_word(address), 0xFF, PAGE_BYTES);
}

void board_flash_write_begin(void)
{
}

void board_flash_write_word(uint32_t address, uint32_t value)
{
    *slot_word(address) &= value;
}

bool board_flash_is_ready(void)
{
    return true;
}

void board_flash_write_end(void)
{
}

/* What a flash over the link comes to. */
static refusal_t flash(slots_t *slots, blake2s_t *digest, const uint8_t *bytes, uint32_t length)
{
    pages_t pages = {{0}};
    if (length == 0 || length % 4 != 0) {
        return refuse(STATUS_BAD_IMAGE, IMAGE_FAULT_LENGTH, 0, 0);
    }
    uint32_t *words = malloc(length);
    if (words == NULL) {
        abort();
    }
    memcpy(words, bytes, length);
    for (uint32_t page = 0; page < pages_of(length); page++) {
        pages_add(&pages, page);
    }
    slots_erase_spare(slots, &pages);
    slots_program(slots, 0, words, length / 4, 0);
    for (uint32_t page = 0; page < pages_of(length); page++) {
        slots_page_done(slots, page);
    }
    free(words);
    blake2s(digest, bytes, length);
    return slots_commit(slots, length, digest->h, 0);
}

int main(void)
{
    static slots_t slots;
    uint8_t *memory = mmap((void *)(uintptr_t)SLOTS_ADDRESS, 2 * SLOT_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != (uint8_t *)(uintptr_t)SLOTS_ADDRESS) {
        return 1;
    }
    memset(memory, 0xFF, 2 * SLOT_BYTES);
    blake2s_t state;
    uint32_t serving[8] = {0};
    uint32_t length;
    slots_boot(&slots, &state);
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        result_t result;
        image_t image;
        uint8_t *bytes = malloc(length > 0 ? length : 1);
        if (bytes == NULL || fread(bytes, 1, length, stdin) != length) {
            return 1;
        }
        result.fault = image_parse(bytes, length, &image);
        refusal_t refusal = flash(&slots, &state, bytes, length);
        result.status = refusal.status;
        result.detail = refusal.detail;
        if (refusal.status == STATUS_OK) {
            blake2s(&state, bytes, length);
            memcpy(serving, state.h, sizeof serving);
        }
        slots_boot(&slots, &state);
        result.serves =
            slots.active != NO_SLOT && memcmp(slots_record(slots.active)->digest, serving, sizeof serving) == 0;
        free(bytes);
        if (fwrite(&result, sizeof result, 1, stdout) != 1) {
            return 1;
        }
    }
    return 0;
}
