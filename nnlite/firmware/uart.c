#include "uart.h"

#include "board.h"
#include "bytes.h"

STATIC_ASSERT((RECEIVE_BUFFER_BYTES & (RECEIVE_BUFFER_BYTES - 1)) == 0, receive_buffer_is_a_power_of_two);

/* `head` and `tail` run freely; their difference is what the buffer holds. */
static struct {
    uint32_t head;
    uint32_t tail;
    uint8_t bytes[RECEIVE_BUFFER_BYTES];
} ring;

void uart_poll(void)
{
    uint8_t byte;
    while (board_uart_read(&byte)) {
        /* Full: the byte is lost, its frame's CRC-32 will tell. Credit keeps this from happening. */
        if (ring.head - ring.tail < RECEIVE_BUFFER_BYTES) {
            ring.bytes[ring.head++ % RECEIVE_BUFFER_BYTES] = byte;
        }
    }
}

bool uart_get(uint8_t *byte)
{
    uart_poll();
    if (ring.head == ring.tail) {
        return false;
    }
    *byte = ring.bytes[ring.tail++ % RECEIVE_BUFFER_BYTES];
    return true;
}

bool uart_available(void)
{
    return ring.head != ring.tail;
}

void uart_put(uint8_t byte)
{
    board_uart_write(byte);
    while (!board_uart_sent()) {
        uart_poll();
    }
}
