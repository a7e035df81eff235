/* What both start-up files share. */
#ifndef NNLITE_STARTUP_H
#define NNLITE_STARTUP_H

/* From the linker script. */
extern unsigned char stack_top[];

/* Copy .data, clear .bss, call main. */
void startup_run(void);

/* Any exception but reset: nothing here uses interrupts, so one is a fault. Stops where a debugger finds it. */
void startup_fault(void);

typedef void (*vector_t)(void);

#endif
