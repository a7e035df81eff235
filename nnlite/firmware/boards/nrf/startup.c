#include "startup.h"

#include <stdint.h>

extern uint32_t data_start[];
extern uint32_t data_end[];
extern const uint32_t data_load[];
extern uint32_t bss_start[];
extern uint32_t bss_end[];

int main(void);

void startup_run(void)
{
    const uint32_t *from = data_load;
    for (uint32_t *to = data_start; to != data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = bss_start; to != bss_end; to++) {
        *to = 0;
    }
    (void)main();
}

void startup_fault(void)
{
    for (;;) {}
}
