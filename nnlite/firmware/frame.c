#include "frame.h"

#include "wire.h"

/* A table of 16 instead of 256 entries: 64 bytes of flash, two steps a byte. */
static const uint32_t CRC_OF_NIBBLE[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

static inline uint32_t crc_step(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = (crc >> 4) ^ CRC_OF_NIBBLE[crc & 15u];
    return (crc >> 4) ^ CRC_OF_NIBBLE[crc & 15u];
}

uint32_t frame_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length)
{
    crc = ~crc;
    while (length--) {
        crc = crc_step(crc, *bytes++);
    }
    return ~crc;
}

/* The CRC-32 of any bytes with their own CRC-32 behind them. */
#define CRC_OF_WHOLE 0x2144DF1Cu

void frame_decoder_reset(frame_decoder_t *decoder)
{
    decoder->length = 0;
    decoder->crc = 0;
    decoder->code = 0;
    decoder->missing = 0;
    decoder->overlong = false;
}

/* Take decoded bytes up to the first zero, `count` at most. Returns how many. */
static uint32_t take_run(frame_decoder_t *decoder, const uint8_t *bytes, uint32_t count)
{
    uint32_t room = decoder->capacity - decoder->length;
    uint8_t *to = decoder->bytes + decoder->length;
    uint32_t crc = ~decoder->crc;
    uint32_t taken = 0;
    if (count > room) {
        count = room;
        decoder->overlong =
            true; /* or it ends before; then it is too short for its last code, and so no frame either */
    }
    while (taken < count && bytes[taken] != 0) {
        crc = crc_step(crc, bytes[taken]);
        to[taken] = bytes[taken];
        taken++;
    }
    decoder->crc = ~crc;
    decoder->length += taken;
    return taken;
}

/* The zero that the last code byte stood for: only when more comes is it known not to be the end. */
static void take_zero(frame_decoder_t *decoder)
{
    if (decoder->length == decoder->capacity) {
        decoder->overlong = true;
        return;
    }
    decoder->bytes[decoder->length++] = 0;
    decoder->crc = ~crc_step(~decoder->crc, 0);
}

uint32_t frame_decoder_take(frame_decoder_t *decoder, const uint8_t *bytes, uint32_t count)
{
    uint32_t at = 0;
    while (at < count && bytes[at] != 0) {
        if (decoder->overlong) {
            at++; /* on to the delimiter */
        } else if (decoder->missing == 0) {
            if (decoder->code != 0 && decoder->code != 255) {
                take_zero(decoder);
            }
            decoder->code = bytes[at++];
            decoder->missing = (uint8_t)(decoder->code - 1);
        } else {
            uint32_t rest = count - at;
            uint32_t taken = take_run(decoder, bytes + at, rest < decoder->missing ? rest : decoder->missing);
            decoder->missing = (uint8_t)(decoder->missing - taken);
            at += taken;
        }
    }
    return at;
}

bool frame_decoder_whole(const frame_decoder_t *decoder)
{
    return decoder->missing == 0 && !decoder->overlong && decoder->length >= FRAME_CRC_BYTES &&
           decoder->crc == CRC_OF_WHOLE;
}

uint32_t frame_cobs_run(const uint8_t *bytes, uint32_t at, uint32_t length)
{
    uint32_t run = 0;
    while (run < 254 && at + run < length && bytes[at + run] != 0) {
        run++;
    }
    return run;
}
