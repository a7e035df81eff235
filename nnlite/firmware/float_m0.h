/* binary32 in software, on bits: what float_m0.c's assembly leaves out, in C so that it can be proven on any computer.
   Round to nearest even, subnormals kept; a NaN is 0x7FC00000. */
#ifndef NNLITE_FLOAT_M0_H
#define NNLITE_FLOAT_M0_H

#include <stdint.h>

uint32_t float_add_rare(uint32_t a, uint32_t b);
uint32_t float_multiply_rare(uint32_t a, uint32_t b);
uint32_t float_divide_rare(uint32_t a, uint32_t b);

#endif
