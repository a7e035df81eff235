/* Vector table and reset of the nRF51822 (Cortex-M0). */
#include "startup.h"

#include <stdint.h>

/* Assembly, since anomaly 16 ("POWER: RAMON reset value causes problems under certain conditions") must be
   dealt with before anything is pushed: switch both halves of RAM on in RAMON and RAMONB. */
__attribute__((naked)) void startup_reset(void)
{
    __asm__ volatile("ldr r0, =0x40000524\n" /* POWER.RAMON */
                     "movs r2, #3\n"
                     "ldr r1, [r0]\n"
                     "orrs r1, r2\n"
                     "str r1, [r0]\n"
                     "ldr r0, =0x40000554\n" /* POWER.RAMONB */
                     "ldr r1, [r0]\n"
                     "orrs r1, r2\n"
                     "str r1, [r0]\n"
                     "ldr r0, =startup_run\n"
                     "bx r0\n"
                     ".pool\n");
}

__attribute__((section(".vectors"), used)) static const vector_t vectors[48] = {
    (vector_t)(uintptr_t)stack_top,
    startup_reset,
    startup_fault, /* NMI */
    startup_fault, /* HardFault */
};
