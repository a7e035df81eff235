#include "flash.h"

#include "board.h"
#include "uart.h"

BOARD_CODE_WHILE_WRITING void flash_write(uint32_t address, const uint32_t *words, uint32_t count, blake2s_t *digest)
{
    uart_poll(); /* the first word may stall for as long as the UART holds out */
    board_flash_write_begin();
    for (uint32_t i = 0; i < count; i++) {
        if (words[i] != FLASH_ERASED) {
            board_flash_write_word(address + 4 * i, words[i]);
            if (digest != 0 && blake2s_is_mixing(digest)) {
                blake2s_round(digest);
            }
            do {
                uart_poll();
            } while (!board_flash_is_ready());
        }
    }
    board_flash_write_end();
}
