/* The bytes between the board's UART, which holds a few, and the protocol. */
#ifndef NNLITE_UART_H
#define NNLITE_UART_H

#include <stdint.h>

/* Take what the UART has received, and hand it the next byte to send. To be called at least every few byte times
   while bytes may arrive. */
void uart_poll(void);

/* How many received bytes wait, as far as they lie side by side, and where; they stay until uart_drop takes them. */
uint32_t uart_waiting(const uint8_t **bytes);
void uart_drop(uint32_t count);

/* Send one byte. Returns when it is in the buffer: uart_poll sends it. */
void uart_put(uint8_t byte);

/* Send all that waits, then go on at another rate. */
void uart_set_rate(uint32_t baud);

#endif
