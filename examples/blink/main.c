// Blinks the top left LED of a micro:bit v1 (nRF51822) and says so on the UART. Holding button A doubles the rate.
#include <stdbool.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define CLOCK_HFCLKSTART REG(0x40000000u)
#define CLOCK_HFCLKSTARTED REG(0x40000100u)
#define UART_STARTTX REG(0x40002008u)
#define UART_TXDRDY REG(0x4000211Cu)
#define UART_ENABLE REG(0x40002500u)
#define UART_PSELTXD REG(0x4000250Cu)
#define UART_TXD REG(0x4000251Cu)
#define UART_BAUDRATE REG(0x40002524u)
#define TIMER0_START REG(0x40008000u)
#define TIMER0_COMPARE0 REG(0x40008140u)
#define TIMER0_SHORTS REG(0x40008200u)
#define TIMER0_INTENSET REG(0x40008304u)
#define TIMER0_BITMODE REG(0x40008508u)
#define TIMER0_PRESCALER REG(0x40008510u)
#define TIMER0_CC0 REG(0x40008540u)
#define GPIO_OUTSET REG(0x50000508u)
#define GPIO_OUTCLR REG(0x5000050Cu)
#define GPIO_IN REG(0x50000510u)
#define GPIO_DIRSET REG(0x50000518u)
#define GPIO_PIN_CNF(pin) REG(0x50000700u + 4u * (pin))
#define NVIC_ISER REG(0xE000E100u)

enum { COLUMN = 4, ROW = 13, BUTTON_A = 17, TXD = 24, TIMER0_IRQ = 8 };

static uint32_t period_us = 250000; // from one change of the LED to the next
static volatile bool lit, changed;

void timer0_handler(void);
int main(void);

void timer0_handler(void)
{
    TIMER0_COMPARE0 = 0;
    bool pressed = (GPIO_IN & (1u << BUTTON_A)) == 0;
    TIMER0_CC0 = pressed ? period_us / 2 : period_us; // the counter has just been cleared, so it cannot be past this
    lit = !lit;
    if (lit) {
        GPIO_OUTSET = 1u << ROW;
    } else {
        GPIO_OUTCLR = 1u << ROW;
    }
    changed = true;
}

static void say(const char *text)
{
    for (; *text != '\0'; text++) {
        UART_TXDRDY = 0;
        UART_TXD = (uint8_t)*text;
        while (UART_TXDRDY == 0) {}
    }
}

int main(void)
{
    CLOCK_HFCLKSTART = 1;
    while (CLOCK_HFCLKSTARTED == 0) {}
    GPIO_OUTSET = 1u << TXD; // the line idles high
    GPIO_DIRSET = 1u << COLUMN | 1u << ROW | 1u << TXD;
    GPIO_PIN_CNF(BUTTON_A) = 0; // an input; the board has the pull-up
    UART_PSELTXD = TXD;
    UART_BAUDRATE = 0x01D7E000u; // 115,200
    UART_ENABLE = 4;
    UART_STARTTX = 1;
    TIMER0_BITMODE = 3;   // 32 bits
    TIMER0_PRESCALER = 4; // 16 MHz / 2^4: one tick is a microsecond
    TIMER0_CC0 = period_us;
    TIMER0_SHORTS = 1; // COMPARE[0] clears the counter
    TIMER0_INTENSET = 1u << 16;
    NVIC_ISER = 1u << TIMER0_IRQ;
    TIMER0_START = 1;
    for (;;) {
        __asm volatile("cpsid i" ::: "memory"); // so that no interrupt slips in between the look and the sleep
        if (!changed) {
            __asm volatile("wfi" ::: "memory");
        }
        __asm volatile("cpsie i" ::: "memory");
        if (changed) {
            changed = false;
            say(lit ? "on\n" : "off\n");
        }
    }
}
