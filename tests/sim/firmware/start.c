/* Vector table and start-up of the firmware that the simulator's tests run; handlers are there as far as one is linked.
 */
#include <stdint.h>

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, __StackTop;
int main(void);
void start(void);
void unexpected(void);

void unexpected(void)
{
    for (;;) {}
}

#define HANDLER(name) void name(void) __attribute__((weak, alias("unexpected")))
HANDLER(svc_handler);
HANDLER(pendsv_handler);
HANDLER(systick_handler);
HANDLER(timer0_handler);
HANDLER(timer1_handler);
HANDLER(uart0_handler);
HANDLER(swi0_handler);

typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) static const vector_t vectors[16 + 32] = {
    [0] = (vector_t)&__StackTop,
    [1] = start,
    [3] = unexpected,
    [11] = svc_handler,
    [14] = pendsv_handler,
    [15] = systick_handler,
    [16 + 2] = uart0_handler,
    [16 + 8] = timer0_handler,
    [16 + 9] = timer1_handler,
    [16 + 20] = swi0_handler,
};

void start(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = &bss_start; to < &bss_end; to++) {
        *to = 0;
    }
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm volatile("dsb\n isb");
#endif
    (void)main();
    for (;;) {}
}
