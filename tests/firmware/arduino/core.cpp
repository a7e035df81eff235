/* A core as small as can be: time from the chip's timer, and a line of 256 bytes, as Arduino's has, in front of its
   UART. Looks at the UART only when it is called; Arduino's takes an interrupt. */
#include "Arduino.h"

extern "C" {
void chip_init(void);
uint32_t chip_ticks(void);
void chip_uart_set_rate(uint32_t baud);
bool chip_uart_read(uint8_t *byte);
void chip_uart_write(uint8_t byte);
bool chip_uart_sent(void);
}

Line Serial;

static uint8_t received[256];
static uint32_t head;
static uint32_t tail;
static bool sending;

static void look()
{
    uint8_t byte;
    while (chip_uart_read(&byte)) {
        if (head - tail < sizeof received) {
            received[head++ % sizeof received] = byte;
        }
    }
}

void Line::begin(unsigned long baud)
{
    chip_uart_set_rate((uint32_t)baud);
}

int Line::available()
{
    look();
    return (int)(head - tail);
}

int Line::read()
{
    return available() > 0 ? received[tail++ % sizeof received] : -1;
}

size_t Line::write(const uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        while (sending && !chip_uart_sent()) {
            look();
        }
        chip_uart_write(bytes[at]);
        sending = true;
    }
    return count;
}

unsigned long micros()
{
    static uint32_t last;
    static uint64_t ticks; /* of 1/16 us */
    uint32_t now = chip_ticks();
    ticks += now - last;
    last = now;
    return (unsigned long)(uint32_t)(ticks / 16);
}

unsigned long millis()
{
    return micros() / 1000; /* good for an hour */
}

extern "C" int main()
{
    chip_init();
    setup();
    for (;;) {
        loop();
    }
}
