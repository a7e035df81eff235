/* The whole firmware but its HAL and its main loop, natively, behind a fuzzer: an input is a row of messages, each
   `length u16, type u8, flags u8, payload`, which get session, sequence, CRC-32 and COBS here, or, with a type of 255,
   bytes for the line as they are. The board below is memory; slots lie where 32-bit addresses reach. */
#define _GNU_SOURCE /* MAP_FIXED_NOREPLACE */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "board.h"
#include "frame.h"
#include "protocol.h"
#include "uart.h"
#include "wire.h"

#define SESSION 1u
#define RAW 255u
#define MOST_BYTES 1023u

/* The arena, and its end as the linker script gives it. */
float arena_start[ARENA_FLOATS];
__asm__(".globl arena_end\n.set arena_end, arena_start + 4 * " ARENA_FLOATS_TEXT);

static uint8_t *flash;
static const uint8_t *incoming;
static size_t incoming_length;
static uint32_t ticks;
static bool writing;

uint32_t board_unique_id(unsigned word)
{
    return word;
}

uint32_t board_ticks(void)
{
    return ticks++;
}

uint32_t board_tick_hz(void)
{
    return CLOCK_HZ;
}

uint32_t board_uptime_seconds(void)
{
    return ticks / CLOCK_HZ;
}

void board_alarm_set(uint32_t milliseconds)
{
    (void)milliseconds;
}

bool board_alarm_rings(void)
{
    return ticks % 16 == 0;
}

void board_uart_set_rate(uint32_t baud)
{
    (void)baud;
}

bool board_is_simulated(void)
{
    return true;
}

bool board_uart_read(uint8_t *byte)
{
    if (incoming_length == 0) {
        return false;
    }
    *byte = *incoming++;
    incoming_length--;
    return true;
}

void board_uart_write(uint8_t byte)
{
    (void)byte;
}

bool board_uart_sent(void)
{
    return true;
}

/* What lies in no slot is code: a firmware that erases or programs it has gone wrong. */
static uint32_t *slot_word(uint32_t address)
{
    if (address < SLOTS_ADDRESS || address >= SLOTS_ADDRESS + 2 * SLOT_BYTES || address % 4 != 0) {
        abort();
    }
    return (uint32_t *)(uintptr_t)address;
}

void board_flash_erase_page(uint32_t address)
{
    if (address % PAGE_BYTES != 0) {
        abort();
    }
    memset(slot_word(address), 0xFF, PAGE_BYTES);
}

void board_flash_write_begin(void)
{
    if (writing) {
        abort();
    }
    writing = true;
}

void board_flash_write_word(uint32_t address, uint32_t value)
{
    if (!writing) {
        abort();
    }
    *slot_word(address) &= value;
}

bool board_flash_is_ready(void)
{
    return true;
}

void board_flash_write_end(void)
{
    writing = false;
}

static void feed(const uint8_t *bytes, size_t length)
{
    incoming = bytes;
    incoming_length = length;
    const uint8_t *waiting;
    do {
        protocol_go_on();
    } while (incoming_length > 0 || uart_waiting(&waiting) > 0);
    protocol_go_on(); /* with nothing to do */
}

static void feed_message(const uint8_t *message, uint32_t length, uint16_t sequence)
{
    uint8_t frame[MOST_BYTES + 8];
    uint8_t encoded[2 + sizeof frame + sizeof frame / 254];
    uint32_t end = 0;
    frame[0] = message[0];
    frame[1] = message[1];
    frame[2] = SESSION;
    frame[3] = 0;
    frame[4] = (uint8_t)sequence;
    frame[5] = (uint8_t)(sequence >> 8);
    memcpy(frame + 6, message + 2, length - 2);
    length += 4;
    uint32_t crc = frame_crc32(0, frame, length);
    for (uint32_t i = 0; i < 4; i++) {
        frame[length++] = (uint8_t)(crc >> (8 * i));
    }
    for (uint32_t at = 0;;) {
        uint32_t run = frame_cobs_run(frame, at, length);
        encoded[end++] = (uint8_t)(run + 1);
        memcpy(encoded + end, frame + at, run);
        end += run;
        at += run;
        if (at == length) {
            break;
        }
        at += run < 254;
    }
    encoded[end++] = 0;
    feed(encoded, end);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const uint8_t hello[] = {MESSAGE_HELLO, 0, PROTOCOL_VERSION, PROTOCOL_VERSION, 0, 0};
    static uint16_t sequence;
    if (flash == NULL) {
        flash = mmap((void *)(uintptr_t)SLOTS_ADDRESS, 2 * SLOT_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (flash != (uint8_t *)(uintptr_t)SLOTS_ADDRESS) {
            abort();
        }
    }
    memset(flash, 0xFF, 2 * SLOT_BYTES);
    protocol_boot();
    feed((const uint8_t *)"", 1);
    feed_message(hello, sizeof hello, ++sequence);
    while (size > 1) {
        uint32_t length = (input[0] | (uint32_t)input[1] << 8) & MOST_BYTES;
        input += 2;
        size -= 2;
        length = length < size ? length : (uint32_t)size;
        if (length >= 2 && input[0] != RAW) {
            feed_message(input, length, ++sequence);
        } else {
            feed(input, length);
        }
        input += length;
        size -= length;
    }
    feed((const uint8_t *)"", 1);
    return 0;
}
