/* What a slot's record page tells of an image that is being replaced (docs/FORMAT.md, "Journal"): after a cut nothing
   else says which page was being written. */
#ifndef NNLITE_JOURNAL_H
#define NNLITE_JOURNAL_H

#include "pages.h"

typedef struct {
    uint32_t magic;
    uint32_t erase_count; /* of the record page */
    pages_t pages;        /* that are being replaced */
    uint32_t crc;         /* of all that is above */
} journal_head_t;

/* As it lies in flash behind the record. */
typedef struct {
    journal_head_t head;
    uint32_t done[IMAGE_PAGES]; /* erased while the page is not whole */
} journal_t;

/* `record_page` is the address of the page that holds both. */
const journal_t *journal_at(uint32_t record_page);

/* Whether it was written whole. Where it was not, no page has been touched since. */
bool journal_holds(const journal_t *journal);

/* Whether a page was being replaced when the journal ended: what can be read of it means nothing. */
bool journal_page_is_torn(const journal_t *journal, uint32_t page);

/* Begin one on an erased record page; afterwards pages may be erased. */
void journal_begin(uint32_t record_page, uint32_t erase_count, const pages_t *pages);

/* Note that a page is whole. */
void journal_page_done(uint32_t record_page, uint32_t page);

#endif
