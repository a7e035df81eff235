#include "frame.h"

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

uint32_t frame_cobs_decode(uint8_t *bytes, uint32_t length)
{
    uint32_t from = 0;
    uint32_t to = 0;
    while (from < length) {
        uint32_t code = bytes[from++];
        if (code == 0 || code - 1 > length - from) {
            return 0;
        }
        for (uint32_t i = 1; i < code; i++) {
            bytes[to++] = bytes[from++];
        }
        if (code != 255 && from < length) {
            bytes[to++] = 0;
        }
    }
    return to;
}

uint32_t frame_cobs_run(const uint8_t *bytes, uint32_t at, uint32_t length)
{
    uint32_t run = 0;
    while (run < 254 && at + run < length && bytes[at + run] != 0) {
        run++;
    }
    return run;
}
