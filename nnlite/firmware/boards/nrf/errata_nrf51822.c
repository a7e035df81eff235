/* nRF51822: anomalies 26 and 59 of the Product Anomaly Notice nRF51822-PAN v3.3. Anomaly 16 (RAM power) is
   in startup_nrf51822.c, since it must come before the first use of the stack. */
#include "errata.h"
#include "registers.h"

/* The chip's part number and revision, in its CoreSight ROM table. */
#define PART_LOW REGISTER(0xF0000FE0u)
#define PART_HIGH REGISTER(0xF0000FE4u)
#define REVISION REGISTER(0xF0000FE8u)
#define REVISION_MINOR REGISTER(0xF0000FECu)
#define MPU_DISABLEINDEBUG REGISTER(0x40000608u)

void errata_apply(void)
{
    if ((PART_LOW & 0xFFu) != 0x1u || (PART_HIGH & 0xFu) != 0 || (REVISION_MINOR & 0xF0u) != 0) {
        return;
    }
    uint32_t revision = (REVISION & 0xF0u) >> 4;
    if (revision == 0 || revision == 1 || revision == 3) {
        /* 26: "System: Manual setup is required to enable use of peripherals"; the registers have no names. */
        REGISTER(0x40000504u) = 0xC007FFDFu;
        REGISTER(0x40006C18u) = 0x00008000u;
    }
    if (revision == 4) {
        MPU_DISABLEINDEBUG = 1; /* 59: "MPU: Reset value of DISABLEINDEBUG register is incorrect" */
    }
}
