/* Functions that start-up copies to RAM; some of them write flash meanwhile. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NVMC_READY REGISTER(0x4001E400)
#define NVMC_CONFIG REGISTER(0x4001E504)
#define NVMC_ERASEPAGE REGISTER(0x4001E508)
#define IN_RAM __attribute__((section(".ram_code"), noinline))
#define PAGE 0x20000

volatile uint32_t word = 5;
volatile uint32_t rounds;

IN_RAM uint32_t sum_in_ram(uint32_t count);
__attribute__((noinline)) uint32_t sum_in_flash(uint32_t count);
IN_RAM uint32_t follow(const volatile uint32_t *address);
IN_RAM __attribute__((naked)) uint32_t three(void);
uint32_t call_three(void);
void overwrite(uint32_t code);
IN_RAM uint32_t write_and_count(uint32_t value);
IN_RAM uint32_t write_and_wait(uint32_t value);
IN_RAM uint32_t erase_and_wait(void);
IN_RAM void write_twice(uint32_t value);
IN_RAM uint32_t write_and_call(uint32_t value);
void write_in_flash(uint32_t value);
int main(void);

uint32_t sum_in_ram(uint32_t count)
{
    uint32_t sum = 0;
    while (count != 0) {
        sum += count & 1 ? count : word;
        count--;
    }
    return sum;
}

uint32_t sum_in_flash(uint32_t count)
{
    uint32_t sum = 0;
    while (count != 0) {
        sum += count & 1 ? count : word;
        count--;
    }
    return sum;
}

uint32_t follow(const volatile uint32_t *address)
{
    return *address + 1; /* follow */
}

uint32_t three(void)
{
    __asm volatile("movs r0, #3\n bx lr");
}

uint32_t call_three(void)
{
    rounds = three();
    return rounds;
}

/* The core stores other code over that of three(). */
void overwrite(uint32_t code)
{
    *(volatile uint16_t *)((uintptr_t)three & ~(uintptr_t)1) = (uint16_t)code;
}

/* Rounds that were made while the word was written: none where the core stands still. */
uint32_t write_and_count(uint32_t value)
{
    uint32_t count = 0;
    NVMC_CONFIG = 1;
    REGISTER(PAGE) = value;
    while (NVMC_READY == 0) {
        count++;
        rounds = count;
    }
    NVMC_CONFIG = 0;
    return count;
}

/* The same with nothing to do but to wait. */
uint32_t write_and_wait(uint32_t value)
{
    NVMC_CONFIG = 1;
    REGISTER(PAGE) = value;
    while (NVMC_READY == 0) {}
    NVMC_CONFIG = 0;
    return REGISTER(PAGE);
}

uint32_t erase_and_wait(void)
{
    NVMC_CONFIG = 2;
    NVMC_ERASEPAGE = PAGE;
    while (NVMC_READY == 0) {}
    NVMC_CONFIG = 0;
    return REGISTER(PAGE);
}

void write_twice(uint32_t value)
{
    NVMC_CONFIG = 1;
    REGISTER(PAGE) = value;
    REGISTER(PAGE + 4) = value; /* write_twice */
}

/* Whether the controller was busy, seen by way of a function in flash. */
uint32_t write_and_call(uint32_t value)
{
    NVMC_CONFIG = 1;
    REGISTER(PAGE) = value;
    uint32_t sum = sum_in_flash(1);
    return NVMC_READY == sum;
}

void write_in_flash(uint32_t value)
{
    NVMC_CONFIG = 1;
    REGISTER(PAGE) = value;
    NVMC_CONFIG = 0;
}

int main(void)
{
    for (;;) {}
}
