#include "uart.h"

#include <stdbool.h>

#include "board.h"
#include "bytes.h"

/* A credit of 22 bytes and what may be left of another: neither waits for the line. */
#define TRANSMIT_BUFFER_BYTES 64u

STATIC_ASSERT((RECEIVE_BUFFER_BYTES & (RECEIVE_BUFFER_BYTES - 1)) == 0, receive_buffer_is_a_power_of_two);

/* In both, `head` and `tail` run freely; their difference is what the buffer holds. */
static struct {
    uint32_t head;
    uint32_t tail;
    uint8_t bytes[RECEIVE_BUFFER_BYTES];
} receiving;

static struct {
    bool busy; /* a byte is with the UART */
    uint32_t head;
    uint32_t tail;
    uint8_t bytes[TRANSMIT_BUFFER_BYTES];
} sending;

BOARD_CODE_WHILE_WRITING void uart_poll(void)
{
    uint8_t byte;
    /* First: the line stands still from the end of one byte to the writing of the next. */
    if (sending.busy && board_uart_sent()) {
        if (sending.head == sending.tail) {
            sending.busy = false;
        } else {
            board_uart_write(sending.bytes[sending.tail++ % TRANSMIT_BUFFER_BYTES]);
        }
    }
    while (board_uart_read(&byte)) {
        /* Full: the byte is lost, its frame's CRC-32 will tell. Credit keeps this from happening. */
        if (receiving.head - receiving.tail < RECEIVE_BUFFER_BYTES) {
            receiving.bytes[receiving.head++ % RECEIVE_BUFFER_BYTES] = byte;
        }
    }
}

uint32_t uart_waiting(const uint8_t **bytes)
{
    uint32_t at = receiving.tail % RECEIVE_BUFFER_BYTES;
    uint32_t count = receiving.head - receiving.tail;
    *bytes = receiving.bytes + at;
    return count < RECEIVE_BUFFER_BYTES - at ? count : RECEIVE_BUFFER_BYTES - at;
}

void uart_drop(uint32_t count)
{
    receiving.tail += count;
}

void uart_put(uint8_t byte)
{
    if (sending.head - sending.tail == TRANSMIT_BUFFER_BYTES) {
        /* The line stands still from the end of one byte to the writing of the next: nothing is done in between. At
           most one byte is received meanwhile. */
        uint8_t next = sending.bytes[sending.tail++ % TRANSMIT_BUFFER_BYTES];
        while (!board_uart_sent()) {}
        board_uart_write(next);
        uart_poll();
    }
    if (sending.busy) {
        sending.bytes[sending.head++ % TRANSMIT_BUFFER_BYTES] = byte;
    } else {
        sending.busy = true;
        board_uart_write(byte);
    }
}

void uart_set_rate(uint32_t baud)
{
    while (sending.busy) {
        uart_poll();
    }
    board_uart_set_rate(baud);
}
