/* The firmware: everything happens in answer to a received byte. */
#include "board.h"
#include "protocol.h"
#include "uart.h"

int main(void)
{
    uint8_t byte;
    board_init();
    protocol_boot();
    for (;;) {
        if (uart_get(&byte)) {
            protocol_receive(byte);
        }
    }
}
