/* Writing flash while the UART goes on. */
#ifndef NNLITE_FLASH_H
#define NNLITE_FLASH_H

#include <stdint.h>

#include "blake2s.h"

#define FLASH_ERASED 0xFFFFFFFFu

/* Program words of erased flash; the UART is polled meanwhile, and `digest`, if it is not null and mixes a block in,
   gets on with that. A word that is to be all ones stays as it is: programming it would change nothing and wear it. */
void flash_write(uint32_t address, const uint32_t *words, uint32_t count, blake2s_t *digest);

#endif
