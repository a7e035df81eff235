/* The firmware: everything happens in answer to a received byte. */
#include "board.h"
#include "protocol.h"

int main(void)
{
    board_init();
    protocol_boot();
    for (;;) {
        protocol_go_on();
    }
}
