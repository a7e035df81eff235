/* A set of pages of a slot's image. */
#ifndef NNLITE_PAGES_H
#define NNLITE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"

#define IMAGE_PAGES (SLOT_IMAGE_BYTES / PAGE_BYTES)

typedef struct {
    uint32_t words[(IMAGE_PAGES + 31u) / 32u];
} pages_t;

static inline bool pages_have(const pages_t *pages, uint32_t page)
{
    return (pages->words[page / 32u] >> (page % 32u) & 1u) != 0;
}

static inline void pages_add(pages_t *pages, uint32_t page)
{
    pages->words[page / 32u] |= 1u << (page % 32u);
}

/* How many pages an image of `length` bytes takes. */
static inline uint32_t pages_of(uint32_t length)
{
    return length / PAGE_BYTES + (length % PAGE_BYTES != 0);
}

#endif
