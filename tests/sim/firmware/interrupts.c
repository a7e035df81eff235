/* Interrupts of several priorities that note down when they come and go. main calls nothing: tests do. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define TIMER(n) (0x40008000u + 0x1000u * (n))
#define ISER REGISTER(0xE000E100)
#define ISPR REGISTER(0xE000E200)
#define IPR(n) REGISTER(0xE000E400 + 4 * (n))
#define ICSR REGISTER(0xE000ED04)
#define SHPR3 REGISTER(0xE000ED20)
#define PENDSVSET (1u << 28)

enum { ENTER = 0x100, LEAVE = 0x200 };

volatile uint32_t notes[512];
volatile uint32_t noted;
volatile uint32_t ticks;
volatile float number;

static void note(uint32_t what)
{
    notes[noted++ & 511] = what;
}

static uint32_t active(void)
{
    uint32_t number_of_exception;
    __asm volatile("mrs %0, ipsr" : "=r"(number_of_exception));
    return number_of_exception;
}

/* A counter that fires every `period` microseconds, at a priority of 0 (most urgent) to 3. */
void start_timer(uint32_t n, uint32_t period, uint32_t priority);
void start_timer(uint32_t n, uint32_t period, uint32_t priority)
{
    REGISTER(TIMER(n) + 0x508) = 0;      /* BITMODE: 16 */
    REGISTER(TIMER(n) + 0x510) = 4;      /* PRESCALER: 1 MHz */
    REGISTER(TIMER(n) + 0x540) = period; /* CC[0] */
    REGISTER(TIMER(n) + 0x200) = 1;      /* SHORTS: COMPARE0_CLEAR */
    REGISTER(TIMER(n) + 0x304) = 1u << 16;
    IPR(2) = (IPR(2) & ~(0xFFu << 8 * n)) | priority << (8 * n + 6);
    ISER = 1u << (8 + n);
    REGISTER(TIMER(n)) = 1;
}

void timer0_handler(void);
void timer0_handler(void)
{
    note(ENTER | active());
    REGISTER(TIMER(0) + 0x140) = 0;
    ticks++;
    note(LEAVE | active());
}

void timer1_handler(void);
void timer1_handler(void)
{
    note(ENTER | active());
    REGISTER(TIMER(1) + 0x140) = 0;
    for (volatile uint32_t n = 0; n < 200; n++) {}
    note(LEAVE | active());
}

void pendsv_handler(void);
void pendsv_handler(void)
{
    note(ENTER | active());
    number = number * 3.0f + 1.0f;
    note(LEAVE | active());
}

void svc_handler(void);
void svc_handler(void)
{
    note(ENTER | active());
    ICSR = PENDSVSET; /* of lower priority: after this one */
    note(LEAVE | active());
}

void systick_handler(void);
void systick_handler(void)
{
    ticks++;
}

void swi0_handler(void);
void swi0_handler(void)
{
    note(ENTER | active());
}

void supervisor_call(void);
void supervisor_call(void)
{
    SHPR3 = 3u << 22;
    __asm volatile("svc #0" : : : "memory");
    note(active());
}

/* An interrupt that is pending while PRIMASK is set comes at once when it is cleared. */
void masked(void);
void masked(void)
{
    ISER = 1u << 20;
    __asm volatile("cpsid i" : : : "memory");
    ISPR = 1u << 20;
    note(1);
    __asm volatile("cpsie i\n isb" : : : "memory");
    note(2);
}

/* WFI wakes for an interrupt that PRIMASK keeps from being taken. */
uint32_t sleep_masked(void);
uint32_t sleep_masked(void)
{
    __asm volatile("cpsid i\n wfi" : : : "memory");
    uint32_t seen = ticks;
    __asm volatile("cpsie i\n isb" : : : "memory");
    return ticks - seen;
}

void sleep_until(uint32_t count);
void sleep_until(uint32_t count)
{
    while (ticks < count) {
        __asm volatile("wfi" : : : "memory");
    }
}

void wait_for_events(uint32_t count);
void wait_for_events(uint32_t count)
{
    __asm volatile("sev\n wfe" : : : "memory"); /* does not wait: the event was sent before */
    while (ticks < count) {
        __asm volatile("wfe" : : : "memory");
    }
}

uint32_t spin_until(uint32_t count);
uint32_t spin_until(uint32_t count)
{
    uint32_t rounds = 0;
    while (ticks < count) {
        rounds++;
    }
    return rounds;
}

/* Sums with values in registers all the time while interrupts use the same registers. */
float sum_of_floats(uint32_t count);
float sum_of_floats(uint32_t count)
{
    float a = 1.0f;
    float b = 0.5f;
    for (uint32_t n = 0; n < count; n++) {
        a = a + b;
        b = b * 0.999f;
        if ((n & 7) == 0) {
            ICSR = PENDSVSET;
        }
    }
    return a;
}

/* On a stack of its own, as threads have it. */
uint32_t on_process_stack(uint32_t count);
uint32_t on_process_stack(uint32_t count)
{
    static uint64_t stack[64];
    uint32_t inside;
    __asm volatile("msr psp, %1\n"
                   "movs r3, #2\n"
                   "msr control, r3\n"
                   "isb\n"
                   "mov %0, sp\n"
                   "1: ldr r3, [%2]\n"
                   "cmp r3, %3\n"
                   "blo 1b\n"
                   "movs r3, #0\n"
                   "msr control, r3\n"
                   "isb"
                   : "=&r"(inside)
                   : "r"(stack + 64), "r"(&ticks), "r"(count)
                   : "r3", "cc", "memory");
    return inside - (uint32_t)(uintptr_t)stack;
}

#ifdef __ARM_FP
void start_systick(uint32_t cycles);
void start_systick(uint32_t cycles)
{
    REGISTER(0xE000E014) = cycles - 1;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 7;
}
#endif

void request_reset(void);
void request_reset(void)
{
    REGISTER(0xE000ED0C) = 0x05FA0004;
    for (;;) {}
}

int main(void)
{
    for (;;) {}
}
