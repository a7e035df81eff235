/* Little-endian fields in byte buffers that may lie unaligned, and copies. */
#ifndef NNLITE_BYTES_H
#define NNLITE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "../runtime/bits.h"

/* A layout that C and Python share must not drift: a false condition does not compile. */
#define STATIC_ASSERT(condition, name) typedef char static_assert_##name[(condition) ? 1 : -1]

static inline uint16_t load_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (bytes[1] << 8));
}

static inline uint32_t load_u32(const uint8_t *bytes)
{
    return bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) | ((uint32_t)bytes[3] << 24);
}

static inline void store_u16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline void store_u32(uint8_t *bytes, uint32_t value)
{
    store_u16(bytes, value);
    store_u16(bytes + 2, value >> 16);
}

/* Not memcpy: a loop keeps the image free of library code, and every copy here is short. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t length)
{
    while (length--) {
        *to++ = *from++;
    }
}

#endif
