/* Registers of the nRF51 and nRF52 series that the firmware uses, by the names of the reference manuals. */
#ifndef NNLITE_REGISTERS_H
#define NNLITE_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* CLOCK and POWER share one block. */
#define CLOCK_TASKS_HFCLKSTART REGISTER(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x40000100u)

/* UART; the nRF52's UARTE keeps this legacy view of itself. */
#define UART_TASKS_STARTRX REGISTER(0x40002000u)
#define UART_TASKS_STARTTX REGISTER(0x40002008u)
#define UART_EVENTS_RXDRDY REGISTER(0x40002108u)
#define UART_EVENTS_TXDRDY REGISTER(0x4000211Cu)
#define UART_EVENTS_ERROR REGISTER(0x40002124u)
#define UART_ERRORSRC REGISTER(0x40002480u)
#define UART_ENABLE REGISTER(0x40002500u)
#define UART_PSELTXD REGISTER(0x4000250Cu)
#define UART_PSELRXD REGISTER(0x40002514u)
#define UART_RXD REGISTER(0x40002518u)
#define UART_TXD REGISTER(0x4000251Cu)
#define UART_BAUDRATE REGISTER(0x40002524u)
#define UART_ENABLE_ENABLED 4u
#define UART_BAUDRATE_115200 0x01D7E000u

/* GPIO: port 0, and on the larger nRF52 a second port 0x300 higher. */
#define GPIO_BASE(pin) (0x50000000u + ((pin) / 32u) * 0x300u)
#define GPIO_OUTSET(pin) REGISTER(GPIO_BASE(pin) + 0x508u)
#define GPIO_PIN_CNF(pin) REGISTER(GPIO_BASE(pin) + 0x700u + 4u * ((pin) % 32u))
#define GPIO_PIN_CNF_OUTPUT 0x3u       /* DIR output, INPUT disconnected */
#define GPIO_PIN_CNF_INPUT_PULLUP 0xCu /* DIR input, INPUT connected, PULL up */

#define NVMC_READY REGISTER(0x4001E400u)
#define NVMC_CONFIG REGISTER(0x4001E504u)
#define NVMC_ERASEPAGE REGISTER(0x4001E508u)
#define NVMC_CONFIG_REN 0u
#define NVMC_CONFIG_WEN 1u
#define NVMC_CONFIG_EEN 2u

/* TIMER0: 32 bits wide on both series. */
#define TIMER_TASKS_START REGISTER(0x40008000u)
#define TIMER_TASKS_CAPTURE REGISTER(0x40008040u)
#define TIMER_BITMODE REGISTER(0x40008508u)
#define TIMER_PRESCALER REGISTER(0x40008510u)
#define TIMER_CC REGISTER(0x40008540u)
#define TIMER_BITMODE_32 3u
#define TIMER_HZ 16000000u

#define FICR_DEVICEID(word) REGISTER(0x10000060u + 4u * (word))

/* The last of the 32 words that Nordic leaves to whoever builds the board. A simulated board says so there. */
#define UICR_CUSTOMER REGISTER(0x100010FCu)
#define UICR_CUSTOMER_SIMULATED 0x554D4953u /* "SIMU" */

#endif
