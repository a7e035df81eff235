/* What a board offers to the portable part: a HAL, boards/<chip family>/.
   Its numbers (BOARD_NAME, PAGE_BYTES, ...) come from the profile, through board_config.h that the build writes. */
#ifndef NNLITE_BOARD_H
#define NNLITE_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "board_config.h"

/* Where networks work. A board under somebody else's linker script has an array of the size that its configuration
   names; else it is all RAM that nothing else uses, and our own script says where. */
extern float arena_start[];
#ifndef ARENA_BYTES
extern float arena_end[];
#define ARENA_BYTES ((uint32_t)((uintptr_t)arena_end - (uintptr_t)arena_start))
#endif

/* Start-up errata, crystal oscillator, UART pins; called once, before anything else here. */
void board_init(void);

/* Of a function that is called while flash is being written, and of constants that it reads. A chip that only halts
   when it reads flash meanwhile keeps both in RAM. */
#if RUNS_WHILE_WRITING
#define BOARD_CODE_WHILE_WRITING __attribute__((noinline, section(".ram_code")))
#define BOARD_CONST_WHILE_WRITING __attribute__((section(".data.const")))
#else
#define BOARD_CODE_WHILE_WRITING
#define BOARD_CONST_WHILE_WRITING const
#endif

/* Word 0 or 1 of the chip's unique id. */
uint32_t board_unique_id(unsigned word);

/* A counter that runs freely, board_tick_hz times a second, and wraps. */
uint32_t board_ticks(void);
uint32_t board_tick_hz(void);

/* Seconds since power-up or reset. */
uint32_t board_uptime_seconds(void);

/* An alarm that rings, and goes on ringing, some time after it was set last. */
void board_alarm_set(uint32_t milliseconds);
bool board_alarm_rings(void);

/* Whether the board says of itself that it is simulated. */
bool board_is_simulated(void);

/* Another rate from the next byte on; nothing is being sent. */
void board_uart_set_rate(uint32_t baud);

/* Take one byte out of the receive FIFO. False when it is empty. */
bool board_uart_read(uint8_t *byte);

/* Hand one byte to the transmitter; board_uart_sent tells when the next may follow. */
void board_uart_write(uint8_t byte);
bool board_uart_sent(void);

/* Erase the page at `address`. Stalls the CPU. */
void board_flash_erase_page(uint32_t address);

/* Between begin and end, words that are erased may be programmed, each when flash is ready. */
void board_flash_write_begin(void);
void board_flash_write_word(uint32_t address, uint32_t value);
bool board_flash_is_ready(void);
void board_flash_write_end(void);

#endif
