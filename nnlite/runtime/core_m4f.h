/* The inner loops for a core with binary32 in hardware and one memory for all, such as the Cortex-M4F: what core_c.h
   computes, in its order.

   Compilers spill a block of sums, or load its weights one by one. Here a row of up to eight weights is one VLDM, and
   sums stay in registers from the first term to the last. Never VMLA: on these cores it is no faster than VMUL and
   VADD; never VFMA, which rounds once where the contract rounds twice. No instruction uses the result of the one before
   it where that can be helped, which would cost a cycle. Labels are numbers, so that these can be inlined. */
#ifndef NNLITE_CORE_M4F_H
#define NNLITE_CORE_M4F_H

#include <stdbool.h>
#include <stdint.h>

/* Rows that core_row_sums takes at once. */
enum { CORE_ROWS = 1 };

/* One input of core_forward, whose value is in the register x: sums in s0 and up, weights in s8 and up. */

#define CORE_FORWARD_ROW_1(x)                                                                                          \
    "vldmia %[w], {s8}\n"                                                                                              \
    "vmul.f32 s8, s8, " x "\n"                                                                                         \
    "add %[w], %[w], %[stride]\n"                                                                                      \
    "vadd.f32 s0, s0, s8\n"
#define CORE_FORWARD_ROW_2(x)                                                                                          \
    "vldmia %[w], {s8-s9}\n"                                                                                           \
    "vmul.f32 s8, s8, " x "\n"                                                                                         \
    "vmul.f32 s9, s9, " x "\n"                                                                                         \
    "add %[w], %[w], %[stride]\n"                                                                                      \
    "vadd.f32 s0, s0, s8\n"                                                                                            \
    "vadd.f32 s1, s1, s9\n"
#define CORE_FORWARD_ROW_4(x)                                                                                          \
    "vldmia %[w], {s8-s11}\n"                                                                                          \
    "vmul.f32 s8, s8, " x "\n"                                                                                         \
    "vmul.f32 s9, s9, " x "\n"                                                                                         \
    "vmul.f32 s10, s10, " x "\n"                                                                                       \
    "vmul.f32 s11, s11, " x "\n"                                                                                       \
    "add %[w], %[w], %[stride]\n"                                                                                      \
    "vadd.f32 s0, s0, s8\n"                                                                                            \
    "vadd.f32 s1, s1, s9\n"                                                                                            \
    "vadd.f32 s2, s2, s10\n"                                                                                           \
    "vadd.f32 s3, s3, s11\n"
#define CORE_FORWARD_ROW_8(x)                                                                                          \
    "vldmia %[w], {s8-s15}\n"                                                                                          \
    "vmul.f32 s8, s8, " x "\n"                                                                                         \
    "vmul.f32 s9, s9, " x "\n"                                                                                         \
    "vmul.f32 s10, s10, " x "\n"                                                                                       \
    "vmul.f32 s11, s11, " x "\n"                                                                                       \
    "vmul.f32 s12, s12, " x "\n"                                                                                       \
    "vmul.f32 s13, s13, " x "\n"                                                                                       \
    "vmul.f32 s14, s14, " x "\n"                                                                                       \
    "vmul.f32 s15, s15, " x "\n"                                                                                       \
    "add %[w], %[w], %[stride]\n"                                                                                      \
    "vadd.f32 s0, s0, s8\n"                                                                                            \
    "vadd.f32 s1, s1, s9\n"                                                                                            \
    "vadd.f32 s2, s2, s10\n"                                                                                           \
    "vadd.f32 s3, s3, s11\n"                                                                                           \
    "vadd.f32 s4, s4, s12\n"                                                                                           \
    "vadd.f32 s5, s5, s13\n"                                                                                           \
    "vadd.f32 s6, s6, s14\n"                                                                                           \
    "vadd.f32 s7, s7, s15\n"

/* One input of core_step: u in s0 and up, weights in s8 and up, products in s16 to s19. */
#define CORE_STEP_ROW_1(x)                                                                                             \
    "vldmia %[w], {s8}\n"                                                                                              \
    "vmul.f32 s16, s0, " x "\n"                                                                                        \
    "vsub.f32 s8, s8, s16\n"                                                                                           \
    "vstmia %[w], {s8}\n"                                                                                              \
    "add %[w], %[w], %[stride]\n"
#define CORE_STEP_ROW_2(x)                                                                                             \
    "vldmia %[w], {s8-s9}\n"                                                                                           \
    "vmul.f32 s16, s0, " x "\n"                                                                                        \
    "vmul.f32 s17, s1, " x "\n"                                                                                        \
    "vsub.f32 s8, s8, s16\n"                                                                                           \
    "vsub.f32 s9, s9, s17\n"                                                                                           \
    "vstmia %[w], {s8-s9}\n"                                                                                           \
    "add %[w], %[w], %[stride]\n"
#define CORE_STEP_ROW_4(x)                                                                                             \
    "vldmia %[w], {s8-s11}\n"                                                                                          \
    "vmul.f32 s16, s0, " x "\n"                                                                                        \
    "vmul.f32 s17, s1, " x "\n"                                                                                        \
    "vmul.f32 s18, s2, " x "\n"                                                                                        \
    "vmul.f32 s19, s3, " x "\n"                                                                                        \
    "vsub.f32 s8, s8, s16\n"                                                                                           \
    "vsub.f32 s9, s9, s17\n"                                                                                           \
    "vsub.f32 s10, s10, s18\n"                                                                                         \
    "vsub.f32 s11, s11, s19\n"                                                                                         \
    "vstmia %[w], {s8-s11}\n"                                                                                          \
    "add %[w], %[w], %[stride]\n"
#define CORE_STEP_ROW_8(x)                                                                                             \
    "vldmia %[w], {s8-s15}\n"                                                                                          \
    "vmul.f32 s16, s0, " x "\n"                                                                                        \
    "vmul.f32 s17, s1, " x "\n"                                                                                        \
    "vmul.f32 s18, s2, " x "\n"                                                                                        \
    "vmul.f32 s19, s3, " x "\n"                                                                                        \
    "vsub.f32 s8, s8, s16\n"                                                                                           \
    "vsub.f32 s9, s9, s17\n"                                                                                           \
    "vsub.f32 s10, s10, s18\n"                                                                                         \
    "vsub.f32 s11, s11, s19\n"                                                                                         \
    "vmul.f32 s16, s4, " x "\n"                                                                                        \
    "vmul.f32 s17, s5, " x "\n"                                                                                        \
    "vmul.f32 s18, s6, " x "\n"                                                                                        \
    "vmul.f32 s19, s7, " x "\n"                                                                                        \
    "vsub.f32 s12, s12, s16\n"                                                                                         \
    "vsub.f32 s13, s13, s17\n"                                                                                         \
    "vsub.f32 s14, s14, s18\n"                                                                                         \
    "vsub.f32 s15, s15, s19\n"                                                                                         \
    "vstmia %[w], {s8-s15}\n"                                                                                          \
    "add %[w], %[w], %[stride]\n"

/* dA in s0 and up becomes u. */
#define CORE_RATE_1                                                                                                    \
    "vmul.f32 s0, s0, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s0\n"
#define CORE_RATE_2                                                                                                    \
    "vmul.f32 s0, s0, %[rate]\n"                                                                                       \
    "vmul.f32 s1, s1, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s0\n"                                                                                  \
    "vmul.f32 %[zero], %[zero], s1\n"
#define CORE_RATE_4                                                                                                    \
    "vmul.f32 s0, s0, %[rate]\n"                                                                                       \
    "vmul.f32 s1, s1, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s0\n"                                                                                  \
    "vmul.f32 s2, s2, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s1\n"                                                                                  \
    "vmul.f32 s3, s3, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s2\n"                                                                                  \
    "vmul.f32 %[zero], %[zero], s3\n"
#define CORE_RATE_8                                                                                                    \
    "vmul.f32 s0, s0, %[rate]\n"                                                                                       \
    "vmul.f32 s1, s1, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s0\n"                                                                                  \
    "vmul.f32 s2, s2, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s1\n"                                                                                  \
    "vmul.f32 s3, s3, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s2\n"                                                                                  \
    "vmul.f32 s4, s4, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s3\n"                                                                                  \
    "vmul.f32 s5, s5, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s4\n"                                                                                  \
    "vmul.f32 s6, s6, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s5\n"                                                                                  \
    "vmul.f32 s7, s7, %[rate]\n"                                                                                       \
    "vmul.f32 %[zero], %[zero], s6\n"                                                                                  \
    "vmul.f32 %[zero], %[zero], s7\n"

/* The biases in s8 and up. */
#define CORE_BIAS_1 "vsub.f32 s8, s8, s0\n"
#define CORE_BIAS_2                                                                                                    \
    "vsub.f32 s8, s8, s0\n"                                                                                            \
    "vsub.f32 s9, s9, s1\n"
#define CORE_BIAS_4                                                                                                    \
    "vsub.f32 s8, s8, s0\n"                                                                                            \
    "vsub.f32 s9, s9, s1\n"                                                                                            \
    "vsub.f32 s10, s10, s2\n"                                                                                          \
    "vsub.f32 s11, s11, s3\n"
#define CORE_BIAS_8                                                                                                    \
    "vsub.f32 s8, s8, s0\n"                                                                                            \
    "vsub.f32 s9, s9, s1\n"                                                                                            \
    "vsub.f32 s10, s10, s2\n"                                                                                          \
    "vsub.f32 s11, s11, s3\n"                                                                                          \
    "vsub.f32 s12, s12, s4\n"                                                                                          \
    "vsub.f32 s13, s13, s5\n"                                                                                          \
    "vsub.f32 s14, s14, s6\n"                                                                                          \
    "vsub.f32 s15, s15, s7\n"

/* All inputs, one a turn. */
#define CORE_ONE_BY_ONE(row)                                                                                           \
    "1:\n"                                                                                                             \
    "vldmia %[x]!, {s20}\n" row("s20") "subs %[left], %[left], #1\n"                                                   \
                                       "bne 1b\n"

/* All inputs, four a turn, then one by one. */
#define CORE_FOUR_BY_FOUR(row)                                                                                         \
    "subs %[left], %[left], #4\n"                                                                                      \
    "blo 2f\n"                                                                                                         \
    "1:\n"                                                                                                             \
    "vldmia %[x]!, {s20-s23}\n" row("s20") row("s21") row("s22")                                                       \
        row("s23") "subs %[left], %[left], #4\n"                                                                       \
                   "bhs 1b\n"                                                                                          \
                   "2:\n"                                                                                              \
                   "adds %[left], %[left], #4\n"                                                                       \
                   "beq 4f\n"                                                                                          \
                   "3:\n"                                                                                              \
                   "vldmia %[x]!, {s20}\n" row("s20") "subs %[left], %[left], #1\n"                                    \
                                                      "bne 3b\n"                                                       \
                                                      "4:\n"

#define CORE_CLOBBERS                                                                                                  \
    "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",     \
        "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23"

/* core_forward_N: N columns of core_forward. core_step_N: N columns of core_step, which makes u of dA and multiplies
   `zero` with each, so that it is no zero when one is not finite; the biases are a last row with an input of 1.
   `stride` is bytes between two rows. */
#define CORE_COLUMNS(width, first, second, all)                                                                        \
    static inline void core_forward_##width(const float *x, const float *w, const float *bias, float *out,             \
                                            uint32_t left, uint32_t stride)                                            \
    {                                                                                                                  \
        __asm__ volatile("vldmia %[bias], {" first "}\n" all(CORE_FORWARD_ROW_##width) "vstmia %[out], {" first "}\n"  \
                         : [x] "+&r"(x), [w] "+&r"(w), [left] "+&r"(left)                                              \
                         : [bias] "r"(bias), [out] "r"(out), [stride] "r"(stride)                                      \
                         : CORE_CLOBBERS);                                                                             \
    }                                                                                                                  \
    static inline float core_step_##width(float *w, float *bias, const float *x, const float *dA, float rate,          \
                                          float zero, uint32_t left, uint32_t stride)                                  \
    {                                                                                                                  \
        __asm__ volatile("vldmia %[dA], {" first                                                                       \
                         "}\n" CORE_RATE_##width all(CORE_STEP_ROW_##width) "vldmia %[bias], {" second                 \
                                                                            "}\n" CORE_BIAS_##width                    \
                         "vstmia %[bias], {" second "}\n"                                                              \
                         : [x] "+&r"(x), [w] "+&r"(w), [left] "+&r"(left), [zero] "+&t"(zero)                          \
                         : [bias] "r"(bias), [dA] "r"(dA), [stride] "r"(stride), [rate] "t"(rate)                      \
                         : CORE_CLOBBERS);                                                                             \
        return zero;                                                                                                   \
    }

CORE_COLUMNS(8, "s0-s7", "s8-s15", CORE_FOUR_BY_FOUR)
CORE_COLUMNS(4, "s0-s3", "s8-s11", CORE_ONE_BY_ONE)
CORE_COLUMNS(2, "s0-s1", "s8-s9", CORE_ONE_BY_ONE)
CORE_COLUMNS(1, "s0", "s8", CORE_ONE_BY_ONE)

static inline void core_forward(const float *x, const float *weights, const float *bias, float *out, uint32_t inputs,
                                uint32_t outputs)
{
    uint32_t stride = outputs * (uint32_t)sizeof(float);
    uint32_t j = 0;
    for (; j + 8 <= outputs; j += 8) {
        core_forward_8(x, weights + j, bias + j, out + j, inputs, stride);
    }
    if ((outputs & 4u) != 0) {
        core_forward_4(x, weights + j, bias + j, out + j, inputs, stride);
        j += 4;
    }
    if ((outputs & 2u) != 0) {
        core_forward_2(x, weights + j, bias + j, out + j, inputs, stride);
        j += 2;
    }
    if ((outputs & 1u) != 0) {
        core_forward_1(x, weights + j, bias + j, out + j, inputs, stride);
    }
}

static inline bool core_usual(const float *dA, uint32_t n)
{
    (void)dA;
    (void)n;
    return true;
}

/* One row, four terms a turn, then one by one. */
static inline void core_row_sums(const float *dA, const float *const *rows, float *sums, uint32_t outputs, bool usual)
{
    const float *row = rows[0];
    float sum = 0.0f;
    (void)usual;
    __asm__ volatile("subs %[left], %[left], #4\n"
                     "blo 2f\n"
                     "1:\n"
                     "vldmia %[dA]!, {s4-s7}\n"
                     "vldmia %[row]!, {s8-s11}\n"
                     "vmul.f32 s4, s4, s8\n"
                     "vmul.f32 s5, s5, s9\n"
                     "vadd.f32 %[sum], %[sum], s4\n"
                     "vmul.f32 s6, s6, s10\n"
                     "vadd.f32 %[sum], %[sum], s5\n"
                     "vmul.f32 s7, s7, s11\n"
                     "vadd.f32 %[sum], %[sum], s6\n"
                     "subs %[left], %[left], #4\n"
                     "vadd.f32 %[sum], %[sum], s7\n"
                     "bhs 1b\n"
                     "2:\n"
                     "adds %[left], %[left], #4\n"
                     "beq 4f\n"
                     "3:\n"
                     "vldmia %[dA]!, {s4}\n"
                     "vldmia %[row]!, {s8}\n"
                     "vmul.f32 s4, s4, s8\n"
                     "subs %[left], %[left], #1\n"
                     "vadd.f32 %[sum], %[sum], s4\n"
                     "bne 3b\n"
                     "4:\n"
                     : [dA] "+&r"(dA), [row] "+&r"(row), [left] "+&r"(outputs), [sum] "+&t"(sum)
                     :
                     : "cc", "memory", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
    sums[0] = sum;
}

/* Zero times every value: no zero when one of them is not finite. */
static inline float core_zero(const float *values, uint32_t n)
{
    float zero = 0.0f;
    __asm__ volatile("subs %[left], %[left], #4\n"
                     "blo 2f\n"
                     "1:\n"
                     "vldmia %[values]!, {s4-s7}\n"
                     "vmul.f32 s5, s5, %[zero]\n"
                     "vmul.f32 s4, s4, %[zero]\n"
                     "vmul.f32 s7, s7, s5\n"
                     "vmul.f32 s6, s6, s4\n"
                     "subs %[left], %[left], #4\n"
                     "vmul.f32 %[zero], s6, s7\n"
                     "bhs 1b\n"
                     "2:\n"
                     "adds %[left], %[left], #4\n"
                     "beq 4f\n"
                     "3:\n"
                     "vldmia %[values]!, {s4}\n"
                     "subs %[left], %[left], #1\n"
                     "vmul.f32 %[zero], %[zero], s4\n"
                     "bne 3b\n"
                     "4:\n"
                     : [values] "+&r"(values), [left] "+&r"(n), [zero] "+&t"(zero)
                     :
                     : "cc", "memory", "s4", "s5", "s6", "s7");
    return zero;
}

/* Flags of the FPSCR that stay until they are cleared: an invalid operation (IOC) or an overflow (OFC) came up. */
#define CORE_TROUBLE 5u

/* What is not finite and was made of finite numbers comes with one of these flags, so that x and u are looked at, and
   no new value. */
static inline bool core_step(float *weights, float *bias, const float *x, const float *dA, float rate, uint32_t inputs,
                             uint32_t outputs)
{
    uint32_t stride = outputs * (uint32_t)sizeof(float);
    uint32_t status;
    uint32_t j = 0;
    float zero = core_zero(x, inputs);
    __asm__ volatile("vmrs %0, fpscr\n" : "=r"(status) : : "memory");
    __asm__ volatile("vmsr fpscr, %0\n" : : "r"(status & ~CORE_TROUBLE) : "memory");
    for (; j + 8 <= outputs; j += 8) {
        zero = core_step_8(weights + j, bias + j, x, dA + j, rate, zero, inputs, stride);
    }
    if ((outputs & 4u) != 0) {
        zero = core_step_4(weights + j, bias + j, x, dA + j, rate, zero, inputs, stride);
        j += 4;
    }
    if ((outputs & 2u) != 0) {
        zero = core_step_2(weights + j, bias + j, x, dA + j, rate, zero, inputs, stride);
        j += 2;
    }
    if ((outputs & 1u) != 0) {
        zero = core_step_1(weights + j, bias + j, x, dA + j, rate, zero, inputs, stride);
    }
    __asm__ volatile("vmrs %0, fpscr\n" : "=r"(status) : : "memory");
    return zero == 0.0f && (status & CORE_TROUBLE) == 0;
}

#endif
