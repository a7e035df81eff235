/* HAL of the firmware as a sketch. Arduino's core has started the clocks and keeps the time and the line, which
   board_config.h calls BOARD_LINE; flash is ../nrf/nvmc.c's. */
#include <Arduino.h>

extern "C" {
#include "../../board.h"

float arena_start[ARENA_BYTES / sizeof(float)];
}

/* USB takes a packet at a time: bytes wait for the end of their frame, or until nothing has followed for so long. */
static const size_t PACKET_BYTES = 64;
static const uint32_t PATIENCE_US = 1000;
static uint8_t packet[PACKET_BYTES];
static size_t packed;
static uint32_t packed_at;

static uint32_t alarm_from;
static uint32_t alarm_after;

static void send_packet(void)
{
    BOARD_LINE.write(packet, packed);
    packed = 0;
}

void board_init(void)
{
    BOARD_LINE.begin(UART_BAUD);
}

uint32_t board_ticks(void)
{
    return (uint32_t)micros();
}

uint32_t board_tick_hz(void)
{
    return 1000000u;
}

/* Begins anew after 49 days, as millis does. */
uint32_t board_uptime_seconds(void)
{
    return (uint32_t)millis() / 1000u;
}

void board_alarm_set(uint32_t milliseconds)
{
    alarm_from = (uint32_t)millis();
    alarm_after = milliseconds;
}

bool board_alarm_rings(void)
{
    return (uint32_t)millis() - alarm_from >= alarm_after;
}

void board_uart_set_rate(uint32_t baud)
{
    BOARD_LINE.begin(baud);
}

bool board_uart_read(uint8_t *byte)
{
    if (BOARD_LINE.available() > 0) {
        *byte = (uint8_t)BOARD_LINE.read();
        return true;
    }
    if (packed != 0 && board_ticks() - packed_at >= PATIENCE_US) {
        send_packet();
    }
    return false;
}

void board_uart_write(uint8_t byte)
{
    packet[packed++] = byte;
    packed_at = board_ticks();
    if (byte == 0 || packed == PACKET_BYTES) { /* a frame ends with a zero */
        send_packet();
    }
}

/* write() has taken every byte by the time that it returns. */
bool board_uart_sent(void)
{
    return true;
}
