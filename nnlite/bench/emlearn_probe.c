/* A program around emlearn's engine, for nnlite/bench/emlearn.py: it waits, and the simulator calls eml_net_infer. */
#include <eml_net.h>

#include "nnlite_runtime.h"

extern uint32_t stack_top[];

/* The engine wants these of a C library. A network without softmax calls none of them. */
float expf(float x)
{
    return nn_exp_f32(x);
}

float logf(float x)
{
    return nn_log_f32(x);
}

float tanhf(float x)
{
    return nn_tanh_f32(x);
}

/* What the simulator puts parameters, buffers and the engine's own structures into. */
uint8_t room[ROOM_BYTES] __attribute__((aligned(8)));

__attribute__((noinline)) void wait(void)
{
    for (;;) {
        __asm__ volatile("");
    }
}

__attribute__((naked)) void reset(void)
{
    __asm__ volatile(
#if defined(__ARM_FP)
        "ldr r0, =0xE000ED88\n" /* SCB.CPACR: full access to CP10 and CP11 */
        "ldr r1, =0x00F00000\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
#endif
        "ldr r0, =wait\n"
        "bx r0\n"
        ".pool\n");
}

/* What the linker must keep stands where no exception that comes up has its vector. */
__attribute__((section(".vectors"), used)) static const void *const vectors[4] = {stack_top, (const void *)reset, room,
                                                                                  (const void *)eml_net_infer};
