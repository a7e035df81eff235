/* Vector table and reset of the nRF52833 and the nRF52840 (Cortex-M4F). */
#include "startup.h"

#include <stdint.h>

/* Assembly, since compiled code may use the FPU from its first instruction on.
   What FPSCR holds after a reset is not stated (Cortex-M4 Devices Generic User Guide, ARM DUI 0553, floating-point
   registers). 0 is what IEEE-754 wants: round to nearest, subnormals kept, NaN handed on. FPDSCR, from which new
   contexts take these bits, is 0 after a reset by the same table, and nobody changes it. */
__attribute__((naked)) void startup_reset(void)
{
    __asm__ volatile("ldr r0, =0xE000ED88\n" /* SCB.CPACR: full access to CP10 and CP11 */
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0x00F00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "movs r1, #0\n"
                     "vmsr fpscr, r1\n"
                     "ldr r0, =startup_run\n"
                     "bx r0\n"
                     ".pool\n");
}

__attribute__((section(".vectors"), used)) static const vector_t vectors[64] = {
    (vector_t)(uintptr_t)stack_top,
    startup_reset,
    startup_fault, /* NMI */
    startup_fault, /* HardFault */
    startup_fault, /* MemManage */
    startup_fault, /* BusFault */
    startup_fault, /* UsageFault */
};
