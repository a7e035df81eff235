/* nRF52833 and nRF52840: errata 36 and 66, which all revisions have (nRF52833 Errata v1.6; nRF52840 Errata for its
   newest revision), and the debug port's lock of the newer revisions. */
#include "../../board.h"
#include "errata.h"
#include "registers.h"

#define CLOCK_EVENTS_DONE REGISTER(0x4000010Cu)
#define CLOCK_EVENTS_CTTO REGISTER(0x40000110u)
#define CLOCK_CTIV REGISTER(0x40000538u)
#define TEMP_A0 0x4000C520u      /* A0 to A5 */
#define TEMP_B0 0x4000C540u      /* B0 to B5 */
#define TEMP_T0 0x4000C560u      /* T0 to T4 */
#define FICR_TEMP_A0 0x10000404u /* the same 17 words in a row */
#define UICR_APPROTECT REGISTER(0x10001208u)
#define APPROTECT_DISABLE REGISTER(0x40000558u)
#define APPROTECT_OPEN 0x5Au
/* Undocumented FICR words that name the part and its revision, as Nordic's own start-up code reads them. */
#define PART REGISTER(0x10000130u)
#define REVISION REGISTER(0x10000134u)
#define PART_NRF52833 13u
#define PART_NRF52840 8u

/* Whether an erased UICR locks the debug port at the next reset. */
static bool locks_itself(void)
{
    uint32_t part = PART;
    return (part == PART_NRF52833 && REVISION >= 2u) || (part == PART_NRF52840 && REVISION >= 5u);
}

static void copy_words(uint32_t to, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        REGISTER(to + 4 * i) = REGISTER(from + 4 * i);
    }
}

void errata_apply(void)
{
    /* 36: "CLOCK: Some registers are not reset when expected" */
    CLOCK_EVENTS_DONE = 0;
    CLOCK_EVENTS_CTTO = 0;
    CLOCK_CTIV = 0;
    /* 66: "TEMP: Linearity specification not met with default settings" */
    copy_words(TEMP_A0, FICR_TEMP_A0, 6);
    copy_words(TEMP_B0, FICR_TEMP_A0 + 4 * 6, 6);
    copy_words(TEMP_T0, FICR_TEMP_A0 + 4 * 12, 5);
    /* With the debug port the board would lose its way of taking new firmware. Both halves of the lock are opened, the
       lasting one only where it is still erased. */
    if (locks_itself()) {
        if (UICR_APPROTECT == 0xFFFFFFFFu) {
            board_flash_write_begin();
            board_flash_write_word(0x10001208u, 0xFFFFFF00u | APPROTECT_OPEN);
            while (!board_flash_is_ready()) {}
            board_flash_write_end();
        }
        APPROTECT_DISABLE = APPROTECT_OPEN;
    }
}
