/* An image that is coming in over the link: which of its pages are sent, how far they have come, and the digest of what
   flash holds of it, computed between the frames. */
#ifndef NNLITE_INCOMING_H
#define NNLITE_INCOMING_H

#include "blake2s.h"
#include "pages.h"
#include "slots.h"

typedef struct {
    bool open;
    uint32_t length; /* of the image */
    uint32_t digest[8];
    pages_t pages;        /* that are sent; the others are in flash already */
    uint32_t sent_length; /* bytes in them */
    uint32_t next;        /* of these that came so far */
    uint32_t offset;      /* of the next one in the image; what lies before is in flash */
    blake2s_t read_back;  /* of the image's beginning */
} incoming_t;

/* Get ready; `pages`, all within the image, are erased. */
void incoming_begin(incoming_t *incoming, uint32_t length, const uint8_t *digest, const pages_t *pages);

/* Program the next bytes into the spare slot, at most as many as are missing. Counts in words. */
void incoming_take(incoming_t *incoming, const slots_t *slots, const uint32_t *words, uint32_t count);

bool incoming_is_whole(const incoming_t *incoming);

/* Digest a little more of what is in flash, if there is more. */
void incoming_digest_step(incoming_t *incoming, const slots_t *slots);

/* Digest the rest of a whole image. Whether it is the digest that was announced. */
bool incoming_digest_matches(incoming_t *incoming, const slots_t *slots);

#endif
