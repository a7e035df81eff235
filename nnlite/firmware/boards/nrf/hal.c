/* HAL of the nRF51 and nRF52 boards: crystal, timer, UART polled by hand. One file for all of them; what differs comes
   from board_config.h. Sections of the nRF51 Reference Manual v3.0 (RM) and the nRF52833 Product
   Specification v1.3 (PS) are named where they rule. */
#include "../../board.h"

#include "errata.h"
#include "registers.h"

void board_init(void)
{
    errata_apply();

    /* The UART's rate is only as good as the clock: the RC oscillator is off by up to 6 % (PS 5.4.1). */
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    while (CLOCK_EVENTS_HFCLKSTARTED == 0) {}

    /* Idle high before the pin becomes an output, or the interface chip sees a break (RM 28.5, PS 6.32.4). */
    GPIO_OUTSET(UART_TX_PIN) = 1u << (UART_TX_PIN % 32u);
    GPIO_PIN_CNF(UART_TX_PIN) = GPIO_PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(UART_RX_PIN) = GPIO_PIN_CNF_INPUT_PULLUP;
    UART_PSELTXD = UART_TX_PIN;
    UART_PSELRXD = UART_RX_PIN;
    board_uart_set_rate(UART_BAUD);
    UART_ENABLE = UART_ENABLE_ENABLED;
    UART_TASKS_STARTTX = 1;
    UART_TASKS_STARTRX = 1;

    TIMER_BITMODE = TIMER_BITMODE_32;
    TIMER_PRESCALER = 0;
    TIMER_TASKS_START = 1;

    ALARM_BITMODE = ALARM_BITMODE_16;
    ALARM_PRESCALER = ALARM_PRESCALER_31250_HZ;

    /* The low-frequency clock from its RC oscillator, good to 2 % (RM 13.1.2, PS 5.4.2): uptime needs no better. */
    CLOCK_TASKS_LFCLKSTART = 1;
    RTC_PRESCALER = RTC_PRESCALER_8_HZ;
    RTC_TASKS_START = 1;
}

uint32_t board_ticks(void)
{
    TIMER_TASKS_CAPTURE = 1;
    return TIMER_CC;
}

uint32_t board_tick_hz(void)
{
    return TIMER_HZ;
}

uint32_t board_uptime_seconds(void)
{
    static uint32_t overflows; /* of 24 bits, every 24 days */
    if (RTC_EVENTS_OVRFLW != 0) {
        RTC_EVENTS_OVRFLW = 0;
        overflows++;
    }
    return (overflows << (24 - 3)) + (RTC_COUNTER >> 3);
}

void board_alarm_set(uint32_t milliseconds)
{
    ALARM_TASKS_STOP = 1;
    ALARM_TASKS_CLEAR = 1;
    ALARM_EVENTS_COMPARE = 0;
    ALARM_CC = milliseconds * ALARM_HZ / 1000u;
    ALARM_TASKS_START = 1;
}

bool board_alarm_rings(void)
{
    return ALARM_EVENTS_COMPARE != 0;
}

void board_uart_set_rate(uint32_t baud)
{
    UART_BAUDRATE = baud == 1000000u  ? UART_BAUDRATE_1000000
                    : baud == 250000u ? UART_BAUDRATE_250000
                                      : UART_BAUDRATE_115200;
}

BOARD_CODE_WHILE_WRITING bool board_uart_read(uint8_t *byte)
{
    if (UART_EVENTS_ERROR != 0) {
        /* A byte was lost or malformed; its frame's CRC-32 tells. Writing the bits back clears them. */
        UART_EVENTS_ERROR = 0;
        UART_ERRORSRC = UART_ERRORSRC;
    }
    if (UART_EVENTS_RXDRDY == 0) {
        return false;
    }
    UART_EVENTS_RXDRDY = 0; /* before RXD: reading it may raise the event for the next byte (RM 28.7) */
    *byte = (uint8_t)UART_RXD;
    return true;
}

BOARD_CODE_WHILE_WRITING void board_uart_write(uint8_t byte)
{
    UART_EVENTS_TXDRDY = 0;
    UART_TXD = byte;
}

BOARD_CODE_WHILE_WRITING bool board_uart_sent(void)
{
    return UART_EVENTS_TXDRDY != 0;
}
