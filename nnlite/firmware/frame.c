#include "frame.h"

#include "bytes.h"
#include "wire.h"

/* A table of 16 instead of 256 entries: 64 bytes of flash, two steps a byte. */
static const uint32_t CRC_OF_NIBBLE[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t frame_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length)
{
    crc = ~crc;
    while (length--) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ CRC_OF_NIBBLE[crc & 15u];
        crc = (crc >> 4) ^ CRC_OF_NIBBLE[crc & 15u];
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

/* Take `count` decoded bytes. */
static void append(frame_decoder_t *decoder, const uint8_t *bytes, uint32_t count)
{
    if (count > decoder->capacity - decoder->length) {
        decoder->overlong = true;
        return;
    }
    copy_bytes(decoder->bytes + decoder->length, bytes, count);
    decoder->length += count;
    decoder->crc = frame_crc32(decoder->crc, bytes, count);
}

uint32_t frame_decoder_take(frame_decoder_t *decoder, const uint8_t *bytes, uint32_t count)
{
    static const uint8_t zero = 0;
    uint32_t at = 0;
    while (at < count && bytes[at] != 0) {
        if (decoder->missing == 0) {
            if (decoder->code != 0 && decoder->code != 255) {
                append(decoder, &zero, 1); /* which the last code byte stood for: only now is it known not to be the
                                              end */
            }
            decoder->code = bytes[at++];
            decoder->missing = (uint8_t)(decoder->code - 1);
            continue;
        }
        uint32_t end = count - at < decoder->missing ? count : at + decoder->missing;
        uint32_t run = at;
        while (run < end && bytes[run] != 0) {
            run++;
        }
        append(decoder, bytes + at, run - at);
        decoder->missing = (uint8_t)(decoder->missing - (run - at));
        at = run;
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
