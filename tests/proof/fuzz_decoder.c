/* Frames that are mutated go into the firmware's decoder: `fuzz_decoder SEED FRAMES`. Half of them are mutated before
   their CRC-32 is computed and must come out as they went in; the other half behind it, and must not come out, but for
   those that still mean the same. Prints five numbers: frames, mutated before the CRC-32 and taken, mutated behind it
   and refused, taken because they mean the same, taken although they do not. Built with sanitizers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define MOST_BYTES 300u
#define CRC_BYTES 4u
/* as protocol.c asks: a header and the CRC-32 */
#define LEAST_BYTES 10u

static uint64_t state;

/* xorshift64* (Vigna, 2016) */
static uint32_t draw(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(((state * 0x2545F4914F6CDD1Du) >> 32) % below);
}

/* Change `length` bytes of `bytes`, which has room for two more, in one to four ways. Returns the new length. */
static uint32_t mutate(uint8_t *bytes, uint32_t length)
{
    for (uint32_t times = 1 + draw(4); times > 0 && length > 1; times--) {
        uint32_t at = draw(length);
        switch (draw(6)) {
        case 0: /* a bit */
            bytes[at] ^= (uint8_t)(1u << draw(8));
            break;
        case 1: /* any byte */
            bytes[at] = (uint8_t)draw(256);
            break;
        case 2: /* lost */
            memmove(bytes + at, bytes + at + 1, length - at - 1);
            length--;
            break;
        case 3: /* doubled, once at most for the room's sake */
            if (length < MOST_BYTES) {
                memmove(bytes + at + 1, bytes + at, length - at);
                length++;
            }
            break;
        case 4: /* a burst */
            for (uint32_t end = at + 1 + draw(8); at < end && at < length; at++) {
                bytes[at] ^= (uint8_t)draw(256);
            }
            break;
        default: /* cut off */
            length = 1 + draw(length);
        }
    }
    return length;
}

static void put_crc(uint8_t *bytes, uint32_t length)
{
    uint32_t crc = frame_crc32(0, bytes, length);
    for (uint32_t i = 0; i < CRC_BYTES; i++) {
        bytes[length + i] = (uint8_t)(crc >> (8 * i));
    }
}

static uint32_t encode(const uint8_t *bytes, uint32_t length, uint8_t *out)
{
    uint32_t at = 0;
    uint32_t end = 0;
    for (;;) {
        uint32_t run = frame_cobs_run(bytes, at, length);
        out[end++] = (uint8_t)(run + 1);
        memcpy(out + end, bytes + at, run);
        end += run;
        at += run;
        if (at == length) {
            return end;
        }
        at += run < 254;
    }
}

/* Whether the decoder, given these bytes up to each zero in them, takes a frame; whether all of those are `body`. */
static void decode(const uint8_t *encoded, uint32_t length, frame_decoder_t *decoder, const uint8_t *body,
                   uint32_t body_length, uint32_t *taken, uint32_t *same)
{
    *taken = *same = 0;
    frame_decoder_reset(decoder);
    for (uint32_t i = 0; i <= length; i++) {
        /* in pieces of any size, as they come in */
        while (i < length && encoded[i] != 0) {
            uint32_t piece = 1 + draw(40);
            i += frame_decoder_take(decoder, encoded + i, piece < length - i ? piece : length - i);
        }
        if (frame_decoder_whole(decoder) && decoder->length >= LEAST_BYTES) {
            *taken += 1;
            *same += decoder->length == body_length && memcmp(decoder->bytes, body, body_length) == 0;
        }
        frame_decoder_reset(decoder);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    uint64_t frames = strtoull(argv[2], NULL, 10);
    uint64_t before = 0, refused = 0, meant = 0, wrong = 0;
    uint8_t body[MOST_BYTES + 2 * CRC_BYTES];
    uint8_t encoded[MOST_BYTES + 64];
    for (uint64_t n = 0; n < frames; n++) {
        uint32_t length = 6 + (draw(4) == 0 ? draw(260) : draw(24));
        uint8_t *decoded = NULL;
        for (uint32_t i = 0; i < length; i++) {
            uint32_t chance = draw(1024);
            body[i] = (uint8_t)(chance < 256 ? 0 : chance); /* many zeros, as in real frames */
        }
        uint32_t early = n % 2;
        if (early) {
            length = mutate(body, length);
            length = length < LEAST_BYTES - CRC_BYTES ? LEAST_BYTES - CRC_BYTES : length;
        }
        put_crc(body, length);
        uint32_t encoded_length = encode(body, length + CRC_BYTES, encoded);
        if (!early) {
            encoded_length = mutate(encoded, encoded_length);
        }
        /* exactly so much room, sometimes less than the frame needs: the address sanitizer sees any step beyond */
        uint32_t room = early || draw(8) != 0 ? length + CRC_BYTES : draw(length + CRC_BYTES);
        decoded = malloc(room > 0 ? room : 1);
        frame_decoder_t decoder = {.bytes = decoded, .capacity = room};
        uint32_t taken, same;
        decode(encoded, encoded_length, &decoder, body, length + CRC_BYTES, &taken, &same);
        free(decoded);
        if (early) {
            if (taken != 1 || same != 1) {
                fprintf(stderr, "frame %" PRIu64 ": a whole one of %u bytes was not taken as it is\n", n, length);
                return 1;
            }
            before++;
        } else {
            refused += taken == 0;
            meant += same;
            wrong += taken - same;
        }
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", frames, before, refused, meant, wrong);
    return 0;
}
