/* Functions for Python to call, and a main that says something on the UART every millisecond or so. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART(offset) REGISTER(0x40002000u + (offset))

volatile uint32_t rounds;

uint32_t add(uint32_t a, uint32_t b);
uint32_t add(uint32_t a, uint32_t b)
{
    return a + b;
}

/* More arguments than there are registers for. */
uint32_t digits(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f);
uint32_t digits(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
    return a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f;
}

float scaled(const float *values, uint32_t count, float scale, float *out);
float scaled(const float *values, uint32_t count, float scale, float *out)
{
    float sum = 0.0f;
    for (uint32_t n = 0; n < count; n++) {
        out[n] = values[n] * scale;
        sum += out[n];
    }
    return sum;
}

uint64_t wide(uint32_t low, uint32_t high);
uint64_t wide(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* Doubles between floats, and more of both than there are registers for. */
double weighed(float a, double b, float c, double d, double e, double f, double g, double h, double i, float j);
double weighed(float a, double b, float c, double d, double e, double f, double g, double h, double i, float j)
{
    return (double)a + 2 * b + 4 * (double)c + 8 * d + 16 * e + 32 * f + 64 * g + 128 * h + 256 * i + 512 * (double)j;
}

/* The second has an even register, the fourth is on the stack at a multiple of 8. */
uint64_t long_sum(uint32_t a, uint64_t b, uint32_t c, int64_t d, uint32_t e);
uint64_t long_sum(uint32_t a, uint64_t b, uint32_t c, int64_t d, uint32_t e)
{
    return a + 2 * b + 4 * c + 8 * (uint64_t)d + 16 * e;
}

/* Each is added to the other, so that it matters whether they are the same. */
void mix(uint16_t *first, const uint16_t *second, uint32_t count);
void mix(uint16_t *first, const uint16_t *second, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        first[n] = (uint16_t)(first[n] + second[0] + n);
    }
}

uint32_t follow(const volatile uint32_t *address);
uint32_t follow(const volatile uint32_t *address)
{
    return *address; /* follows */
}

int32_t negative(int32_t value);
int32_t negative(int32_t value)
{
    return -value;
}

uint32_t reversed(uint8_t *bytes, uint32_t count);
uint32_t reversed(uint8_t *bytes, uint32_t count)
{
    for (uint32_t n = 0; n < count / 2; n++) {
        uint8_t byte = bytes[n];
        bytes[n] = bytes[count - 1 - n];
        bytes[count - 1 - n] = byte;
    }
    return count;
}

void forever(void);
void forever(void)
{
    for (;;) {}
}

static void say(const char *text)
{
    for (; *text != 0; text++) {
        UART(0x51C) = (uint8_t)*text;
        while (UART(0x11C) == 0) {}
        UART(0x11C) = 0;
    }
}

uint32_t leaf(uint32_t value);
__attribute__((noinline)) uint32_t leaf(uint32_t value)
{
    for (volatile uint32_t n = 0; n < 10; n++) {}
    return value + 1;
}

int main(void)
{
    REGISTER(0x40000000) = 1;
    while (REGISTER(0x40000100) == 0) {}
    UART(0x50C) = TX_PIN;
    UART(0x524) = 0x01D7E000;
    UART(0x500) = 4;
    UART(0x008) = 1;
    say("ready\n");
    for (;;) {
        rounds = leaf(rounds);
        say("tick\n");
    }
}
