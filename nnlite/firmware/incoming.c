#include "incoming.h"

#include "bytes.h"

static uint32_t page_end(const incoming_t *incoming, uint32_t page)
{
    uint32_t end = (page + 1) * PAGE_BYTES;
    return end < incoming->length ? end : incoming->length;
}

/* From the end of a page to the next one that is sent, or to the end of the image. */
static void skip_pages(incoming_t *incoming)
{
    while (incoming->offset < incoming->length && !pages_have(&incoming->pages, incoming->offset / PAGE_BYTES)) {
        incoming->offset = page_end(incoming, incoming->offset / PAGE_BYTES);
    }
}

void incoming_begin(incoming_t *incoming, uint32_t length, const uint8_t *digest, const pages_t *pages)
{
    incoming->open = true;
    incoming->length = length;
    copy_bytes((uint8_t *)incoming->digest, digest, DIGEST_BYTES);
    incoming->pages = *pages;
    incoming->sent_length = 0;
    for (uint32_t page = 0; page < pages_of(length); page++) {
        if (pages_have(pages, page)) {
            incoming->sent_length += page_end(incoming, page) - page * PAGE_BYTES;
        }
    }
    incoming->next = 0;
    incoming->offset = 0;
    blake2s_begin(&incoming->read_back);
    skip_pages(incoming);
}

void incoming_take(incoming_t *incoming, const slots_t *slots, const uint32_t *words, uint32_t count)
{
    while (count != 0) {
        uint32_t page = incoming->offset / PAGE_BYTES;
        uint32_t room = (page_end(incoming, page) - incoming->offset) / 4;
        uint32_t piece = count < room ? count : room;
#if RUNS_WHILE_WRITING
        /* A block is read while flash is not being written, and mixed in while it is: a round for each word, so a piece
           is as long as a block. */
        piece = piece < BLAKE2S_BLOCK_BYTES / 4 ? piece : BLAKE2S_BLOCK_BYTES / 4;
        if (!blake2s_is_mixing(&incoming->read_back)) {
            incoming_digest_step(incoming, slots);
        }
        slots_program(slots, incoming->offset, words, piece, &incoming->read_back);
#else
        slots_program(slots, incoming->offset, words, piece, 0);
#endif
        words += piece;
        count -= piece;
        incoming->next += 4 * piece;
        incoming->offset += 4 * piece;
        if (piece == room) {
            slots_page_done(slots, page);
            skip_pages(incoming);
        }
    }
}

bool incoming_is_whole(const incoming_t *incoming)
{
    return incoming->next == incoming->sent_length;
}

void incoming_digest_step(incoming_t *incoming, const slots_t *slots)
{
    blake2s_t *state = &incoming->read_back;
    if (blake2s_is_mixing(state)) {
        blake2s_round(state);
        return;
    }
    /* What follows tells whether a block is the last one: an image whose end is a block's waits for the end. */
    uint32_t there = incoming->offset - state->taken;
    bool last = incoming->length - state->taken <= BLAKE2S_BLOCK_BYTES;
    if (state->taken != incoming->length && (there >= BLAKE2S_BLOCK_BYTES || (last && incoming_is_whole(incoming)))) {
        uint32_t block = last ? incoming->length - state->taken : BLAKE2S_BLOCK_BYTES;
        blake2s_take(state, slots_image(slots_spare(slots)) + state->taken, block, last);
    }
}

bool incoming_digest_matches(incoming_t *incoming, const slots_t *slots)
{
    uint32_t difference = 0;
    while (incoming->read_back.taken != incoming->length || blake2s_is_mixing(&incoming->read_back)) {
        incoming_digest_step(incoming, slots);
    }
    for (unsigned i = 0; i < 8; i++) {
        difference |= incoming->digest[i] ^ incoming->read_back.h[i];
    }
    return difference == 0;
}
