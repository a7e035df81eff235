/* The firmware's own HAL under other names, for core.cpp; and what a compiler calls of the C library. */
#define board_init chip_init
#define board_ticks chip_ticks
#define board_tick_hz chip_tick_hz
#define board_uptime_seconds chip_uptime_seconds
#define board_alarm_set chip_alarm_set
#define board_alarm_rings chip_alarm_rings
#define board_uart_set_rate chip_uart_set_rate
#define board_uart_read chip_uart_read
#define board_uart_write chip_uart_write
#define board_uart_sent chip_uart_sent

#include "hal.c"

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        ((volatile uint8_t *)to)[at] = ((const uint8_t *)from)[at];
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        ((volatile uint8_t *)to)[at] = (uint8_t)value;
    }
    return to;
}
