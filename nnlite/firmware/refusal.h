/* What every step that can fail returns: a STATUS_ of wire.h with its detail, value and limit (docs/PROTOCOL.md,
 * Status). */
#ifndef NNLITE_REFUSAL_H
#define NNLITE_REFUSAL_H

#include <stdint.h>

#include "wire.h"

typedef struct {
    uint8_t status; /* STATUS_OK when nothing was refused */
    uint8_t detail;
    uint32_t value;
    uint32_t limit;
} refusal_t;

static inline refusal_t refuse(uint8_t status, uint8_t detail, uint32_t value, uint32_t limit)
{
    refusal_t refusal = {status, detail, value, limit};
    return refusal;
}

static inline refusal_t accept(void)
{
    return refuse(STATUS_OK, 0, 0, 0);
}

#endif
