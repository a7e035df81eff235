#include "journal.h"

#include "bytes.h"
#include "flash.h"
#include "frame.h"
#include "wire.h"

#define DONE 0u

STATIC_ASSERT(RECORD_BYTES == JOURNAL_OFFSET, journal_follows_record);
STATIC_ASSERT(JOURNAL_OFFSET + sizeof(journal_t) <= PAGE_BYTES, journal_fits_record_page);

const journal_t *journal_at(uint32_t record_page)
{
    return (const journal_t *)(uintptr_t)(record_page + JOURNAL_OFFSET);
}

bool journal_holds(const journal_t *journal)
{
    return journal->head.magic == JOURNAL_MAGIC &&
           frame_crc32(0, (const uint8_t *)journal, offsetof(journal_head_t, crc)) == journal->head.crc;
}

bool journal_page_is_torn(const journal_t *journal, uint32_t page)
{
    return journal_holds(journal) && pages_have(&journal->head.pages, page) && journal->done[page] != DONE;
}

void journal_begin(uint32_t record_page, uint32_t erase_count, const pages_t *pages)
{
    journal_head_t head = {JOURNAL_MAGIC, erase_count, *pages, 0};
    head.crc = frame_crc32(0, (const uint8_t *)&head, offsetof(journal_head_t, crc));
    flash_write(record_page + JOURNAL_OFFSET, (const uint32_t *)(const void *)&head, sizeof head / 4, 0);
}

void journal_page_done(uint32_t record_page, uint32_t page)
{
    const uint32_t done = DONE;
    flash_write(record_page + JOURNAL_OFFSET + offsetof(journal_t, done) + 4 * page, &done, 1, 0);
}
