/* The inner loops of the runtime, for the core that is compiled for. Each of these headers has the same four functions:

   core_forward    every sum of a layer, eq. 8
   core_usual      a look at the dA of a layer, before
   core_row_sums   CORE_ROWS sums of the way back, side by side
   core_step       every parameter of a layer by one sample's update

   core_c.h says what each computes, and is the truth; the others give its bits. Not part of the runtime's interface. */
#ifndef NNLITE_CORE_H
#define NNLITE_CORE_H

#if defined(__thumb2__) && defined(__ARM_FP) && (__ARM_FP & 4)
#include "core_m4f.h"
#elif defined(__ARM_ARCH_6M__)
#include "core_m0.h"
#else
#include "core_c.h"
#endif

#endif
