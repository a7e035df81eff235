/* The receive buffer between the board's FIFO of a few bytes and the protocol. */
#ifndef NNLITE_UART_H
#define NNLITE_UART_H

#include <stdbool.h>
#include <stdint.h>

/* Empty the FIFO into the buffer. To be called at least every few byte times while bytes may arrive. */
void uart_poll(void);

/* Next received byte; false when there is none. */
bool uart_get(uint8_t *byte);

/* Whether a received byte waits. */
bool uart_available(void);

/* Send one byte, polling meanwhile. */
void uart_put(uint8_t byte);

#endif
