/* Each function does what silicon would not forgive, on the line that a comment with its name marks. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NVMC_CONFIG REGISTER(0x4001E504)
#define NVMC_ERASEPAGE REGISTER(0x4001E508)

static volatile uint32_t words[4];
uint32_t deep(uint32_t level);
void unimplemented_register(void);
void unknown_register(void);
void read_only_register(void);
void unaligned_read(void);
void unaligned_several(void);
void bad_pointer_read(uint32_t address);
void bad_pointer_write(uint32_t address);
void bad_call(uint32_t address);
void flash_write_not_enabled(void);
void flash_write_three_times(void);
void flash_write_of_a_byte(void);
void flash_erase_in_a_page(void);
void stack_overflow(void);
void undefined_instruction(void);
void not_on_this_core(void);
void fpu_off(void);
void breakpoint(void);
void exception_without_vector(void);
int main(void);

void unimplemented_register(void)
{
    words[0] = REGISTER(0x4000D508); /* unimplemented_register */
}

void unknown_register(void)
{
    REGISTER(0x40002FF0) = 1; /* unknown_register */
}

void read_only_register(void)
{
    REGISTER(0x10000060) = 1; /* read_only_register */
}

void unaligned_read(void)
{
    words[0] = *(volatile uint32_t *)((uintptr_t)words + 1); /* unaligned_read */
}

void unaligned_several(void)
{
    uintptr_t at = (uintptr_t)words + 2;
    __asm volatile("ldmia %0!, {r2, r3}" : "+r"(at) : : "r2", "r3"); /* unaligned_several */
}

void bad_pointer_read(uint32_t address)
{
    words[0] = REGISTER(address); /* bad_pointer_read */
}

void bad_pointer_write(uint32_t address)
{
    REGISTER(address) = 7; /* bad_pointer_write */
}

void bad_call(uint32_t address)
{
    ((void (*)(void))(uintptr_t)(address | 1))(); /* bad_call */
    words[0] = 1;
}

void flash_write_not_enabled(void)
{
    REGISTER(0x20000) = 0; /* flash_write_not_enabled */
}

void flash_write_three_times(void)
{
    NVMC_CONFIG = 1;
    REGISTER(0x20000) = 0xFFFFFF00;
    REGISTER(0x20000) = 0xFFFF0000;
    REGISTER(0x20000) = 0xFF000000; /* flash_write_three_times */
}

void flash_write_of_a_byte(void)
{
    NVMC_CONFIG = 1;
    *(volatile uint8_t *)0x20000 = 0; /* flash_write_of_a_byte */
}

void flash_erase_in_a_page(void)
{
    NVMC_CONFIG = 2;
    NVMC_ERASEPAGE = 0x20010; /* flash_erase_in_a_page */
}

uint32_t deep(uint32_t level) /* stack_overflow */
{
    volatile uint32_t frame[16];
    frame[level & 15] = level;
    return level == 0xFFFFFFFF ? 0 : deep(level + 1) + frame[level & 15];
}

void stack_overflow(void)
{
    words[0] = deep(0);
}

void undefined_instruction(void)
{
    __asm volatile("udf #1"); /* undefined_instruction */
}

void not_on_this_core(void)
{
    __asm volatile(".short 0xB100"); /* not_on_this_core: cbz r0 */
}

void fpu_off(void)
{
    REGISTER(0xE000ED88) = 0;
    __asm volatile(".short 0xEE30, 0x0A20"); /* fpu_off: vadd.f32 s0, s0, s1 */
}

void breakpoint(void)
{
    __asm volatile("bkpt #0"); /* breakpoint */
}

void exception_without_vector(void)
{
    REGISTER(0xE000E100) = 1u << 25;
    REGISTER(0xE000E200) = 1u << 25;
    words[0] = 1; /* exception_without_vector */
}

int main(void)
{
    for (;;) {}
}
