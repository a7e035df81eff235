#include "float_m0.h"

#include <stdbool.h>

#define SIGN 0x80000000u
#define INFINITE 0x7F800000u
#define NOT_A_NUMBER 0x7FC00000u
#define HIDDEN 0x00800000u

/* What is below the bits that are kept counts as one bit more, that is set or not. */
static uint32_t shifted_right(uint32_t value, uint32_t by)
{
    if (by > 31) {
        return value != 0 ? 1u : 0u;
    }
    uint32_t kept = value >> by;
    return kept << by == value ? kept : kept | 1u;
}

/* A number from its biased exponent, 1 or more, and a significand with three bits below it to round by; where its top
   bit is not set the number is subnormal, and the exponent 1. */
static uint32_t rounded(uint32_t sign, uint32_t exponent, uint32_t significand)
{
    uint32_t below = significand & 7u;
    uint32_t bits = ((exponent - 1u) << 23) + (significand >> 3);
    bits += below > 4u || (below == 4u && (bits & 1u) != 0) ? 1u : 0u;
    return sign | (bits >= INFINITE ? INFINITE : bits);
}

/* Biased exponent of a finite number, 1 for subnormal ones, and its significand with the hidden bit where there is one.
 */
static uint32_t exponent_of(uint32_t bits)
{
    uint32_t exponent = bits >> 23 & 0xFFu;
    return exponent != 0 ? exponent : 1u;
}

static uint32_t significand_of(uint32_t bits)
{
    uint32_t fraction = bits & (HIDDEN - 1u);
    return (bits >> 23 & 0xFFu) != 0 ? fraction | HIDDEN : fraction;
}

uint32_t float_add_rare(uint32_t a, uint32_t b)
{
    uint32_t size_a = a & ~SIGN;
    uint32_t size_b = b & ~SIGN;
    if (size_a > INFINITE || size_b > INFINITE) {
        return NOT_A_NUMBER;
    }
    if (size_a < size_b) {
        uint32_t swapped = a;
        a = b;
        b = swapped;
        size_a = a & ~SIGN;
    }
    uint32_t sign = a & SIGN;
    bool differ = ((a ^ b) & SIGN) != 0;
    if (size_a == INFINITE) {
        return differ && (b & ~SIGN) == INFINITE ? NOT_A_NUMBER : a;
    }
    uint32_t exponent = exponent_of(a);
    uint32_t larger = significand_of(a) << 3;
    uint32_t smaller = shifted_right(significand_of(b) << 3, exponent - exponent_of(b));
    uint32_t sum = differ ? larger - smaller : larger + smaller;
    if (sum == 0) {
        return differ ? 0 : sign;
    }
    if (sum >= HIDDEN << 4) {
        sum = shifted_right(sum, 1);
        exponent++;
    }
    while (sum < HIDDEN << 3 && exponent > 1) {
        sum <<= 1;
        exponent--;
    }
    return rounded(sign, exponent, sum);
}

uint32_t float_multiply_rare(uint32_t a, uint32_t b)
{
    uint32_t size_a = a & ~SIGN;
    uint32_t size_b = b & ~SIGN;
    uint32_t sign = (a ^ b) & SIGN;
    if (size_a > INFINITE || size_b > INFINITE) {
        return NOT_A_NUMBER;
    }
    if (size_a == INFINITE || size_b == INFINITE) {
        return size_a == 0 || size_b == 0 ? NOT_A_NUMBER : sign | INFINITE;
    }
    if (size_a == 0 || size_b == 0) {
        return sign;
    }
    int32_t exponent = (int32_t)(exponent_of(a) + exponent_of(b)) - 127;
    uint32_t x = significand_of(a);
    uint32_t y = significand_of(b);
    while (x < HIDDEN) {
        x <<= 1;
        exponent--;
    }
    while (y < HIDDEN) {
        y <<= 1;
        exponent--;
    }
    /* 24 by 8 bits three times; what is below 16 bits of the product counts as one bit more */
    uint32_t lowest = x * (y & 0xFFu);
    uint32_t middle = x * (y >> 8 & 0xFFu) + (lowest >> 8);
    uint32_t product = x * (y >> 16) + (middle >> 8); /* from bit 30 or 31 down */
    product |= (lowest & 0xFFu) != 0 || (middle & 0xFFu) != 0 ? 1u : 0u;
    if (product >= SIGN) {
        product = shifted_right(product, 1);
        exponent++;
    }
    product = shifted_right(product, 4);
    if (exponent < 1) {
        product = shifted_right(product, (uint32_t)(1 - exponent));
        exponent = 1;
    }
    return exponent > 254 ? sign | INFINITE : rounded(sign, (uint32_t)exponent, product);
}

uint32_t float_divide_rare(uint32_t a, uint32_t b)
{
    uint32_t size_a = a & ~SIGN;
    uint32_t size_b = b & ~SIGN;
    uint32_t sign = (a ^ b) & SIGN;
    if (size_a > INFINITE || size_b > INFINITE || (size_a == size_b && (size_a == 0 || size_a == INFINITE))) {
        return NOT_A_NUMBER;
    }
    if (size_a == INFINITE || size_b == 0) {
        return sign | INFINITE;
    }
    if (size_a == 0 || size_b == INFINITE) {
        return sign;
    }
    int32_t exponent = (int32_t)exponent_of(a) - (int32_t)exponent_of(b) + 127;
    uint32_t rest = significand_of(a);
    uint32_t divisor = significand_of(b);
    while (divisor < HIDDEN) {
        divisor <<= 1;
        exponent++;
    }
    while (rest < divisor) {
        rest <<= 1;
        exponent--;
    }
    uint32_t quotient = 0;
    for (uint32_t bit = 0; bit < 27; bit++) {
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1u;
        }
        rest <<= 1;
    }
    quotient |= rest != 0 ? 1u : 0u;
    if (exponent < 1) {
        quotient = shifted_right(quotient, (uint32_t)(1 - exponent));
        exponent = 1;
    }
    return exponent > 254 ? sign | INFINITE : rounded(sign, (uint32_t)exponent, quotient);
}

#if defined(__ARM_ARCH_6M__)

/* The compiler's own names for a + b, a - b, a * b and a / b of floats, in place of its library's: what both take is
   usual, and so is the result, or it goes to the functions above. How they compute is said in runtime/core_m0.h. */

/* Usual are sums whose larger number is from 2^-101 to below 2^127, and whose smaller one is not subnormal. r0, r1
   significands of the larger and the smaller one, r2 exponent less 1, r3 by how much the smaller one is shifted, r12
   sign. */
__attribute__((naked, used)) void __aeabi_fsub(void)
{
    __asm__ volatile(".syntax unified\n"
                     "movs r2, #1\n"
                     "lsls r2, r2, #31\n"
                     "eors r1, r2\n"
                     ".global __aeabi_fadd\n"
                     ".type __aeabi_fadd, %function\n"
                     ".thumb_func\n"
                     "__aeabi_fadd:\n"
                     "push {r0, r1, r4-r6, lr}\n"
                     "lsls r2, r0, #1\n"
                     "lsls r3, r1, #1\n"
                     "cmp r2, r3\n"
                     "bhs 1f\n"
                     "mov r4, r0\n"
                     "mov r0, r1\n"
                     "mov r1, r4\n"
                     "mov r4, r2\n"
                     "mov r2, r3\n"
                     "mov r3, r4\n"
                     "1:\n"
                     "lsrs r2, r2, #24\n"
                     "subs r2, #26\n"
                     "cmp r2, #227\n"
                     "bhi 9f\n"
                     "lsrs r4, r3, #24\n"
                     "beq 8f\n"
                     "mov r12, r0\n"
                     "subs r4, #1\n"
                     "adds r2, #25\n"
                     "subs r3, r2, r4\n"
                     "mov r4, r0\n"
                     "eors r4, r1\n"
                     "asrs r4, r4, #31\n"
                     "movs r5, #1\n"
                     "lsls r5, r5, #29\n"
                     "lsls r0, r0, #9\n"
                     "lsrs r0, r0, #3\n"
                     "adds r0, r0, r5\n"
                     "lsls r1, r1, #9\n"
                     "lsrs r1, r1, #3\n"
                     "adds r1, r1, r5\n"
                     "eors r1, r4\n"
                     "subs r1, r1, r4\n"
                     "mov r5, r1\n"
                     "asrs r1, r3\n"
                     "adds r0, r0, r1\n"
                     "lsls r1, r0, #2\n"
                     "bcs 5f\n"
                     "bpl 6f\n"
                     "2:\n"
                     "adds r0, #32\n"
                     "lsls r1, r0, #26\n"
                     "beq 7f\n"
                     "3:\n"
                     "lsrs r0, r0, #6\n"
                     "4:\n"
                     "lsls r2, r2, #23\n"
                     "adds r0, r0, r2\n"
                     "mov r1, r12\n"
                     "lsrs r1, r1, #31\n"
                     "lsls r1, r1, #31\n"
                     "orrs r0, r1\n"
                     "41:\n"
                     "add sp, #8\n"
                     "pop {r4-r6, pc}\n"
                     "5:\n" /* one bit more */
                     "adds r2, #1\n"
                     "adds r0, #64\n"
                     "lsls r1, r0, #25\n"
                     "beq 71f\n"
                     "lsrs r0, r0, #7\n"
                     "b 4b\n"
                     "6:\n" /* some bits less, or none left */
                     "beq 41b\n"
                     "61:\n"
                     "subs r2, #1\n"
                     "lsls r0, r0, #1\n"
                     "lsls r1, r0, #2\n"
                     "bpl 61b\n"
                     "b 2b\n"
                     "7:\n" /* a tie, or more than that? */
                     "rsbs r3, r3, #0\n"
                     "adds r3, #32\n"
                     "lsls r5, r3\n"
                     "bne 3b\n"
                     "lsrs r0, r0, #7\n"
                     "lsls r0, r0, #1\n"
                     "b 4b\n"
                     "71:\n"
                     "rsbs r3, r3, #0\n"
                     "adds r3, #32\n"
                     "lsls r5, r3\n"
                     "beq 72f\n"
                     "lsrs r0, r0, #7\n"
                     "b 4b\n"
                     "72:\n"
                     "lsrs r0, r0, #8\n"
                     "lsls r0, r0, #1\n"
                     "b 4b\n"
                     "8:\n" /* the smaller one is 0, or subnormal */
                     "cmp r3, #0\n"
                     "beq 41b\n"
                     "9:\n"
                     "pop {r0, r1}\n"
                     "bl float_add_rare\n"
                     "pop {r4-r6, pc}\n"
                     ".size __aeabi_fadd, . - __aeabi_fadd\n");
}

/* Usual are products of normal numbers that are normal. r0 significand, r3 exponent less 1, r12 sign. */
__attribute__((naked, used)) void __aeabi_fmul(void)
{
    __asm__ volatile(".syntax unified\n"
                     "push {r0, r1, r4, lr}\n"
                     "mov r2, r0\n"
                     "eors r2, r1\n"
                     "mov r12, r2\n"
                     "lsls r3, r0, #1\n"
                     "lsrs r3, r3, #24\n"
                     "beq 9f\n"
                     "cmp r3, #255\n"
                     "beq 9f\n"
                     "lsls r2, r1, #1\n"
                     "lsrs r2, r2, #24\n"
                     "beq 9f\n"
                     "cmp r2, #255\n"
                     "beq 9f\n"
                     "adds r3, r3, r2\n"
                     "lsls r0, r0, #9\n"
                     "lsrs r0, r0, #9\n"
                     "movs r2, #1\n"
                     "lsls r2, r2, #23\n"
                     "adds r0, r0, r2\n"
                     "uxtb r2, r1\n"
                     "lsls r4, r1, #9\n"
                     "lsrs r4, r4, #25\n"
                     "adds r4, #128\n"
                     "lsrs r1, r1, #8\n"
                     "uxtb r1, r1\n"
                     "muls r2, r0, r2\n"
                     "muls r1, r0, r1\n"
                     "muls r4, r0, r4\n"
                     "lsrs r2, r2, #8\n"
                     "adds r1, r1, r2\n"
                     "lsrs r1, r1, #8\n"
                     "adds r4, r4, r1\n"
                     "bpl 1f\n"
                     "lsrs r4, r4, #1\n"
                     "adds r3, #1\n"
                     "1:\n"
                     "subs r3, #128\n"
                     "cmp r3, #253\n"
                     "bhi 9f\n"
                     "adds r4, #64\n"
                     "lsls r1, r4, #25\n"
                     "beq 3f\n"
                     "lsrs r0, r4, #7\n"
                     "2:\n"
                     "lsls r3, r3, #23\n"
                     "adds r0, r0, r3\n"
                     "mov r1, r12\n"
                     "lsrs r1, r1, #31\n"
                     "lsls r1, r1, #31\n"
                     "orrs r0, r1\n"
                     "add sp, #8\n"
                     "pop {r4, pc}\n"
                     "3:\n" /* a tie, or more than that? */
                     "ldr r1, [sp, #4]\n"
                     "muls r1, r0, r1\n"
                     "lsrs r0, r4, #7\n"
                     "lsls r1, r1, #15\n"
                     "bne 2b\n"
                     "lsrs r0, r0, #1\n"
                     "lsls r0, r0, #1\n"
                     "b 2b\n"
                     "9:\n"
                     "pop {r0, r1}\n"
                     "bl float_multiply_rare\n"
                     "pop {r4, pc}\n");
}

/* Usual are quotients of normal numbers that are normal. Bit by bit; none is a tie, since a tie times the divisor would
   have more bits than a dividend. r0 rest, r1 divisor, r2 quotient, r3 exponent less 1, r12 sign. */
__attribute__((naked, used)) void __aeabi_fdiv(void)
{
    __asm__ volatile(".syntax unified\n"
                     "push {r0, r1, r4, lr}\n"
                     "mov r2, r0\n"
                     "eors r2, r1\n"
                     "mov r12, r2\n"
                     "lsls r3, r0, #1\n"
                     "lsrs r3, r3, #24\n"
                     "beq 9f\n"
                     "cmp r3, #255\n"
                     "beq 9f\n"
                     "lsls r2, r1, #1\n"
                     "lsrs r2, r2, #24\n"
                     "beq 9f\n"
                     "cmp r2, #255\n"
                     "beq 9f\n"
                     "subs r3, r3, r2\n"
                     "movs r4, #1\n"
                     "lsls r4, r4, #23\n"
                     "lsls r0, r0, #9\n"
                     "lsrs r0, r0, #9\n"
                     "adds r0, r0, r4\n"
                     "lsls r1, r1, #9\n"
                     "lsrs r1, r1, #9\n"
                     "adds r1, r1, r4\n"
                     "b 2f\n"
                     "9:\n" /* before the loop, since no branch reaches behind it */
                     "pop {r0, r1}\n"
                     "bl float_divide_rare\n"
                     "pop {r4, pc}\n"
                     "2:\n"
                     "cmp r0, r1\n"
                     "bhs 1f\n"
                     "lsls r0, r0, #1\n"
                     "subs r3, #1\n"
                     "1:\n"
                     "adds r3, #126\n"
                     "cmp r3, #253\n"
                     "bhi 9b\n"
                     "subs r0, r0, r1\n"
                     "movs r2, #1\n"
                     ".rept 24\n"
                     "lsls r0, r0, #1\n"
                     "cmp r0, r1\n"
                     "blo 1f\n"
                     "subs r0, r0, r1\n"
                     "1:\n"
                     "adcs r2, r2\n"
                     ".endr\n"
                     "adds r2, #1\n"
                     "lsrs r0, r2, #1\n"
                     "lsls r3, r3, #23\n"
                     "adds r0, r0, r3\n"
                     "mov r1, r12\n"
                     "lsrs r1, r1, #31\n"
                     "lsls r1, r1, #31\n"
                     "orrs r0, r1\n"
                     "add sp, #8\n"
                     "pop {r4, pc}\n");
}

#endif
