// The vector table, and what has to happen before main.
#include <stdint.h>

extern uint32_t data_start[], data_end[], data_in_flash[], bss_start[], bss_end[], __StackTop[];

int main(void);
void timer0_handler(void);
void reset_handler(void);
void unexpected(void);

void reset_handler(void)
{
    volatile uint32_t *to = data_start;
    for (const volatile uint32_t *from = data_in_flash; to < data_end; to++, from++) {
        *to = *from;
    }
    for (to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    (void)main();
}

void unexpected(void)
{
    for (;;) {}
}

typedef union {
    uint32_t *stack_top;
    void (*handler)(void);
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16 + 32] = {
    {.stack_top = __StackTop},
    {.handler = reset_handler},
    {.handler = unexpected}, // NMI
    {.handler = unexpected}, // HardFault
    [16 + 8] = {.handler = timer0_handler},
};
