/* The inner loops for a core without floats in hardware and with ARMv6-M's instructions only, such as the Cortex-M0:
   what core_c.h computes, in its order.

   A library's addition and multiplication unpack their arguments, and pack their result, at every call. Here a sum
   stays unpacked from the first term to the last, and what is rare is left to C: a loop in assembly goes on as long as
   all is usual and else comes back, for C to do one term.

   An unpacked number is its sign in bit 31 of a word; its significand in bits 29 to 6 of another, so that six bits
   below are there to round by; and its biased exponent less 32. 2^30 is a significand, too, and as good as 2^29 with
   the next exponent: what rounding makes of all ones need not be looked for. Zero is the significand 0 and the exponent
   -1.

   A product of two significands is three of 24 by 8 bits, added up; what is below 32 bits is left out. A sum adds what
   is left of the smaller significand, shifted right, negative where the signs differ: rounded down, both of them. To
   add half a unit and to round down is then right but for ties, and it takes the exact pattern of a tie in the bits
   that are there to look whether anything was left out.

   Usual are zeros, and what has no subnormal number, infinity or NaN nearby: products from 2^-95 on, sums below 2^127.
   x, and dA, are looked at beforehand, so that no term need be; parameters are finite. */
#ifndef NNLITE_CORE_M0_H
#define NNLITE_CORE_M0_H

#include <stdbool.h>
#include <stdint.h>

#include "bits.h"

/* Rows that core_row_sums takes at once. */
enum { CORE_ROWS = 1 };

/* A sum of w x over x up to `end`; w is `stride` bytes from the next. */
typedef struct {
    uint32_t sum; /* bits */
    const float *w;
    const float *x;
    const float *end;
    uint32_t stride;
} core_sum_t;

/* w = w + u x over x up to `end`. */
typedef struct {
    uint32_t u; /* bits; normal */
    float *w;
    const float *x;
    const float *end;
    uint32_t stride;
} core_column_t;

#define CORE_SAVE                                                                                                      \
    "push {r4-r7, lr}\n"                                                                                               \
    "mov r4, r8\n"                                                                                                     \
    "mov r5, r9\n"                                                                                                     \
    "mov r6, r10\n"                                                                                                    \
    "mov r7, r11\n"                                                                                                    \
    "push {r0, r4-r7}\n"
#define CORE_RESTORE                                                                                                   \
    "mov r8, r4\n"                                                                                                     \
    "mov r9, r5\n"                                                                                                     \
    "mov r10, r6\n"                                                                                                    \
    "mov r11, r7\n"                                                                                                    \
    "pop {r4-r7, pc}\n"

/* r4, from bit 30 down, is the product of the significand in r0 and that of the number in r1, and r3 one more when it
   has a bit to spare; r1 and r5 are lost. */
#define CORE_MULTIPLY                                                                                                  \
    "uxtb r5, r1\n"                                                                                                    \
    "lsls r4, r1, #9\n"                                                                                                \
    "lsrs r4, r4, #25\n"                                                                                               \
    "adds r4, #128\n"                                                                                                  \
    "lsrs r1, r1, #8\n"                                                                                                \
    "uxtb r1, r1\n"                                                                                                    \
    "muls r5, r0, r5\n"                                                                                                \
    "muls r1, r0, r1\n"                                                                                                \
    "muls r4, r0, r4\n"                                                                                                \
    "lsrs r5, r5, #8\n"                                                                                                \
    "adds r1, r1, r5\n"                                                                                                \
    "lsrs r1, r1, #8\n"                                                                                                \
    "adds r4, r4, r1\n"                                                                                                \
    "bpl 2f\n"                                                                                                         \
    "lsrs r4, r4, #1\n"                                                                                                \
    "adds r3, #1\n"                                                                                                    \
    "2:\n"

/* Goes on with the sum as long as all is usual; x is `end` afterwards, or at the term to be added by others.
   r6 significand, r11 exponent, r9 sign of the sum; r8 w, r10 stride, r7 x, r12 end, lr 2^23. Of a term: r0 w, r1 x;
   then r4 significand, r3 exponent, r2 sign. */
__attribute__((naked, noinline, unused)) static void core_sum(__attribute__((unused)) core_sum_t *state)
{
    __asm__ volatile(".syntax unified\n" CORE_SAVE "ldmia r0!, {r1-r5}\n"
                     "mov r8, r2\n"
                     "mov r7, r3\n"
                     "mov r12, r4\n"
                     "mov r10, r5\n"
                     "movs r5, #1\n"
                     "lsls r5, r5, #23\n"
                     "mov lr, r5\n"
                     "mov r9, r1\n"
                     "cmp r1, #0\n"
                     "beq 91f\n"
                     "lsls r6, r1, #1\n"
                     "lsrs r6, r6, #24\n"
                     "subs r6, #1\n"
                     "cmp r6, #252\n"
                     "bhi 99f\n"
                     "subs r6, #31\n"
                     "mov r11, r6\n"
                     "lsls r6, r1, #9\n"
                     "lsrs r6, r6, #3\n"
                     "lsls r5, r5, #6\n"
                     "adds r6, r6, r5\n"
                     "b 1f\n"

                     "81:\n" /* x is no normal number */
                     "lsls r4, r1, #1\n"
                     "beq 6f\n"
                     "b 83f\n"
                     "82:\n" /* w */
                     "lsls r3, r0, #1\n"
                     "beq 6f\n"
                     "83:\n" /* leave this term to others */
                     "subs r7, #4\n"
                     "mov r0, r8\n"
                     "mov r1, r10\n"
                     "subs r0, r0, r1\n"
                     "mov r8, r0\n"
                     "b 7f\n"
                     "99:\n" /* the sum is none to go on with */
                     "b 8f\n"
                     "91:\n" /* the sum is +0 */
                     "movs r6, #0\n"
                     "mov r9, r6\n"
                     "mvns r6, r6\n"
                     "mov r11, r6\n"
                     "movs r6, #0\n"
                     "b 6f\n"

                     "1:\n"
                     "ldmia r7!, {r1}\n"
                     "mov r0, r8\n"
                     "ldr r0, [r0]\n"
                     "add r8, r10\n"
                     "lsls r4, r1, #1\n"
                     "lsrs r4, r4, #24\n"
                     "beq 81b\n"
                     "lsls r3, r0, #1\n"
                     "lsrs r3, r3, #24\n"
                     "beq 82b\n"
                     "adds r3, r3, r4\n"
                     "mov r2, r0\n"
                     "eors r2, r1\n"
                     "lsls r0, r0, #9\n"
                     "lsrs r0, r0, #9\n"
                     "add r0, lr\n" CORE_MULTIPLY "subs r3, #159\n"
                     "cmp r3, #221\n"
                     "bhi 83b\n"
                     "adds r4, #64\n"
                     "lsls r5, r4, #25\n"
                     "beq 71f\n"
                     "3:\n"
                     "lsrs r4, r4, #7\n"
                     "lsls r4, r4, #6\n"
                     "mov r5, r9\n"
                     "eors r5, r2\n"
                     "asrs r5, r5, #31\n"
                     "mov r1, r11\n"
                     "subs r1, r1, r3\n"
                     "ble 61f\n"
                     /* the sum is the larger one */
                     "eors r4, r5\n"
                     "subs r4, r4, r5\n"
                     "mov r0, r4\n"
                     "asrs r4, r1\n"
                     "adds r6, r6, r4\n"
                     "4:\n" /* r6: new sum, r0: smaller one, r1: what it was shifted by */
                     "lsls r3, r6, #2\n"
                     "bcs 51f\n"
                     "bpl 52f\n"
                     "5:\n"
                     "adds r6, #32\n"
                     "lsls r3, r6, #26\n"
                     "beq 72f\n"
                     "lsrs r6, r6, #6\n"
                     "lsls r6, r6, #6\n"
                     "6:\n"
                     "cmp r7, r12\n"
                     "bne 1b\n"

                     "7:\n" /* the end: pack the sum */
                     "lsrs r1, r6, #6\n"
                     "beq 8f\n"
                     "mov r0, r11\n"
                     "adds r0, #31\n"
                     "lsls r0, r0, #23\n"
                     "adds r1, r1, r0\n"
                     "mov r0, r9\n"
                     "lsrs r0, r0, #31\n"
                     "lsls r0, r0, #31\n"
                     "orrs r1, r0\n"
                     "8:\n"
                     "pop {r0, r4-r6}\n"
                     "mov r2, r8\n"
                     "mov r3, r7\n"
                     "stmia r0!, {r1-r3}\n"
                     "pop {r7}\n" CORE_RESTORE

                     "51:\n" /* one bit more */
                     "mov r3, r11\n"
                     "adds r3, #1\n"
                     "mov r11, r3\n"
                     "adds r6, #64\n"
                     "lsls r2, r6, #25\n"
                     "beq 73f\n"
                     "53:\n"
                     "lsrs r6, r6, #7\n"
                     "lsls r6, r6, #6\n"
                     "cmp r3, #221\n"
                     "ble 6b\n"
                     "b 7b\n"
                     "52:\n" /* some bits less, or none left */
                     "beq 91b\n"
                     "mov r3, r11\n"
                     "54:\n"
                     "subs r3, #1\n"
                     "lsls r6, r6, #1\n"
                     "lsls r2, r6, #2\n"
                     "bpl 54b\n"
                     "mov r11, r3\n"
                     "b 5b\n"

                     "61:\n" /* the term is the larger one */
                     "beq 62f\n"
                     "rsbs r1, r1, #0\n"
                     "eors r6, r5\n"
                     "subs r6, r6, r5\n"
                     "mov r0, r6\n"
                     "asrs r6, r1\n"
                     "adds r6, r6, r4\n"
                     "mov r11, r3\n"
                     "mov r9, r2\n"
                     "b 4b\n"
                     "62:\n" /* both have one exponent */
                     "eors r4, r5\n"
                     "subs r4, r4, r5\n"
                     "adds r6, r6, r4\n"
                     "bpl 4b\n"
                     "cmp r5, #0\n"
                     "beq 63f\n"
                     "rsbs r6, r6, #0\n"
                     "mov r9, r2\n"
                     "b 4b\n"
                     "63:\n" /* 2^30 twice */
                     "subs r6, r6, r4\n"
                     "b 83b\n"

                     "71:\n" /* of a product: a tie, or more than that? */
                     "subs r7, #4\n"
                     "ldmia r7!, {r5}\n"
                     "muls r5, r0, r5\n"
                     "lsls r5, r5, #15\n"
                     "bne 3b\n"
                     "lsrs r4, r4, #8\n"
                     "lsls r4, r4, #8\n"
                     "b 3b\n"
                     "72:\n" /* of a sum */
                     "rsbs r1, r1, #0\n"
                     "adds r1, #32\n"
                     "lsls r0, r1\n"
                     "bne 6b\n"
                     "lsrs r6, r6, #7\n"
                     "lsls r6, r6, #7\n"
                     "b 6b\n"
                     "73:\n" /* of a sum with one bit more */
                     "rsbs r1, r1, #0\n"
                     "adds r1, #32\n"
                     "lsls r0, r1\n"
                     "bne 53b\n"
                     "lsrs r6, r6, #8\n"
                     "lsls r6, r6, #8\n"
                     "b 53b\n");
}

/* Goes on with the column as long as all is usual; x is `end` afterwards, or at the step to be made by others.
   r8 significand, r11 exponent - 127 + 1, r9 sign of u; r6 w, lr stride, r7 x, r12 end, r10 2^29. Of the product, then:
   r4 significand, r3 exponent, r2 sign. Of w: r0 significand, r1 exponent. */
__attribute__((naked, noinline, unused)) static void core_column(__attribute__((unused)) core_column_t *state)
{
    __asm__ volatile(".syntax unified\n" CORE_SAVE "ldmia r0!, {r1-r5}\n"
                     "mov r6, r2\n"
                     "mov r7, r3\n"
                     "mov r12, r4\n"
                     "mov lr, r5\n"
                     "mov r9, r1\n"
                     "movs r5, #1\n"
                     "lsls r5, r5, #29\n"
                     "mov r10, r5\n"
                     "lsls r2, r1, #1\n"
                     "lsrs r2, r2, #24\n"
                     "mov r11, r2\n"
                     "lsls r1, r1, #9\n"
                     "lsrs r1, r1, #9\n"
                     "lsrs r5, r5, #6\n"
                     "adds r1, r1, r5\n"
                     "mov r8, r1\n"
                     "b 1f\n"

                     "81:\n" /* x is no normal number */
                     "lsls r3, r1, #1\n"
                     "beq 6f\n"
                     "b 83f\n"
                     "82:\n" /* w */
                     "lsls r1, r0, #1\n"
                     "bne 83f\n"
                     "mvns r1, r1\n"
                     "movs r0, #0\n"
                     "b 64f\n"
                     "83:\n" /* leave this one to others */
                     "subs r7, #4\n"
                     "b 7f\n"

                     "1:\n"
                     "ldmia r7!, {r1}\n"
                     "lsls r3, r1, #1\n"
                     "lsrs r3, r3, #24\n"
                     "beq 81b\n"
                     "add r3, r11\n"
                     "mov r2, r9\n"
                     "eors r2, r1\n"
                     "mov r0, r8\n" CORE_MULTIPLY "subs r3, #159\n"
                     "cmp r3, #221\n"
                     "bhi 83b\n"
                     "adds r4, #64\n"
                     "lsls r5, r4, #25\n"
                     "beq 71f\n"
                     "3:\n"
                     "lsrs r4, r4, #7\n"
                     "lsls r4, r4, #6\n"
                     "ldr r0, [r6]\n"
                     "mov r5, r0\n"
                     "eors r5, r2\n"
                     "asrs r5, r5, #31\n"
                     "lsls r1, r0, #1\n"
                     "lsrs r1, r1, #24\n"
                     "beq 82b\n"
                     "subs r1, #32\n"
                     "cmp r1, #221\n"
                     "bgt 83b\n"
                     "lsls r0, r0, #9\n"
                     "lsrs r0, r0, #3\n"
                     "add r0, r10\n"
                     "64:\n"
                     "subs r3, r1, r3\n"
                     "ble 61f\n"
                     /* w is the larger one */
                     "eors r2, r5\n"
                     "eors r4, r5\n"
                     "subs r4, r4, r5\n"
                     "mov r5, r4\n"
                     "asrs r4, r3\n"
                     "adds r0, r0, r4\n"
                     "4:\n" /* r0: new w, r5: smaller one, r3: what it was shifted by */
                     "lsls r4, r0, #2\n"
                     "bcs 51f\n"
                     "bpl 52f\n"
                     "5:\n"
                     "adds r0, #32\n"
                     "lsls r4, r0, #26\n"
                     "beq 72f\n"
                     "55:\n"
                     "lsrs r0, r0, #6\n"
                     "56:\n"
                     "adds r1, #31\n"
                     "lsls r1, r1, #23\n"
                     "adds r0, r0, r1\n"
                     "lsrs r2, r2, #31\n"
                     "lsls r2, r2, #31\n"
                     "orrs r0, r2\n"
                     "57:\n"
                     "str r0, [r6]\n"
                     "6:\n"
                     "add r6, lr\n"
                     "cmp r7, r12\n"
                     "bne 1b\n"
                     "7:\n"
                     "pop {r0}\n"
                     "str r6, [r0, #4]\n"
                     "str r7, [r0, #8]\n"
                     "pop {r4-r7}\n" CORE_RESTORE

                     "51:\n" /* one bit more */
                     "adds r1, #1\n"
                     "cmp r1, #221\n"
                     "bgt 83b\n"
                     "adds r0, #64\n"
                     "lsls r4, r0, #25\n"
                     "beq 73f\n"
                     "53:\n"
                     "lsrs r0, r0, #7\n"
                     "b 56b\n"
                     "52:\n" /* some bits less, or none left */
                     "beq 57b\n"
                     "54:\n"
                     "subs r1, #1\n"
                     "lsls r0, r0, #1\n"
                     "lsls r4, r0, #2\n"
                     "bpl 54b\n"
                     "b 5b\n"

                     "61:\n" /* the product is the larger one */
                     "beq 62f\n"
                     "subs r1, r1, r3\n"
                     "rsbs r3, r3, #0\n"
                     "eors r0, r5\n"
                     "subs r0, r0, r5\n"
                     "mov r5, r0\n"
                     "asrs r0, r3\n"
                     "adds r0, r0, r4\n"
                     "b 4b\n"
                     "62:\n" /* both have one exponent */
                     "eors r2, r5\n"
                     "eors r4, r5\n"
                     "subs r4, r4, r5\n"
                     "adds r0, r0, r4\n"
                     "bpl 4b\n"
                     "cmp r5, #0\n"
                     "beq 83b\n"
                     "rsbs r0, r0, #0\n"
                     "mvns r2, r2\n"
                     "b 4b\n"

                     "71:\n" /* of a product: a tie, or more than that? */
                     "subs r7, #4\n"
                     "ldmia r7!, {r5}\n"
                     "muls r5, r0, r5\n"
                     "lsls r5, r5, #15\n"
                     "bne 3b\n"
                     "lsrs r4, r4, #8\n"
                     "lsls r4, r4, #8\n"
                     "b 3b\n"
                     "72:\n" /* of a sum */
                     "rsbs r3, r3, #0\n"
                     "adds r3, #32\n"
                     "lsls r5, r3\n"
                     "bne 55b\n"
                     "lsrs r0, r0, #7\n"
                     "lsls r0, r0, #1\n"
                     "b 56b\n"
                     "73:\n" /* of a sum with one bit more */
                     "rsbs r3, r3, #0\n"
                     "adds r3, #32\n"
                     "lsls r5, r3\n"
                     "bne 53b\n"
                     "lsrs r0, r0, #8\n"
                     "lsls r0, r0, #1\n"
                     "b 56b\n");
}

/* Whether a number is neither zero, subnormal, infinite nor NaN. */
static inline bool core_is_normal(float x)
{
    return ((bits_of_float(x) & 0x7FFFFFFFu) - 0x00800000u) < 0x7F000000u;
}

/* The whole sum: what core_sum leaves is added here, term by term; all of it, where x is not finite. */
static inline float core_sum_up(uint32_t sum, const float *w, uint32_t stride, const float *x, uint32_t n, bool finite)
{
    core_sum_t state = {sum, w, x, x + n, stride * (uint32_t)sizeof(float)};
    while (state.x != state.end) {
        if (finite) {
            core_sum(&state);
        }
        if (state.x != state.end) {
            state.sum = bits_of_float(float_of_bits(state.sum) + *state.w * *state.x);
            state.w += stride;
            state.x++;
        }
    }
    return float_of_bits(state.sum);
}

/* Whether all of values[n] are finite. */
static inline bool core_finite(const float *values, uint32_t n)
{
    for (uint32_t at = 0; at < n; at++) {
        if ((bits_of_float(values[at]) & 0x7FFFFFFFu) >= 0x7F800000u) {
            return false;
        }
    }
    return true;
}

static inline void core_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                                uint32_t outputs)
{
    bool finite = core_finite(x, inputs);
    for (uint32_t j = 0; j < outputs; j++) {
        out[j] = core_sum_up(bits_of_float(bias[j]), weights + j, outputs, x, inputs, finite);
    }
}

static inline bool core_usual(const float *dA, uint32_t n)
{
    return core_finite(dA, n);
}

static inline void core_row_sums(const float *dA, const float *const *rows, float *sums, uint32_t outputs, bool usual)
{
    sums[0] = core_sum_up(0, rows[0], 1, dA, outputs, usual);
}

/* False without a change when x is not finite: no weight would be. Where dA is 0 no parameter changes, as none is -0.
 */
static inline bool core_step(float *weights, float *bias, const float *x, const float *dA, float rate, uint32_t inputs,
                             uint32_t outputs)
{
    bool finite = core_finite(x, inputs);
    for (uint32_t j = 0; j < outputs && finite; j++) {
        if ((bits_of_float(dA[j]) & 0x7FFFFFFFu) == 0) {
            continue;
        }
        float u = dA[j] * rate;
        core_column_t state = {bits_of_float(u) ^ 0x80000000u, weights + j, x, x + inputs,
                               outputs * (uint32_t)sizeof(float)};
        bias[j] = bias[j] - u;
        finite = core_finite(bias + j, 1);
        while (finite && state.x != state.end) {
            if (core_is_normal(u)) {
                core_column(&state);
            }
            if (state.x != state.end) {
                *state.w = *state.w - u * *state.x;
                finite = core_finite(state.w, 1);
                state.w += outputs;
                state.x++;
            }
        }
    }
    return finite;
}

#endif
