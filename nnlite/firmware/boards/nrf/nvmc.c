/* Flash of the nRF51 and nRF52, and what the factory and the board's maker wrote into it. Apart from hal.c, since it
   does not mind whose clock and whose UART there are. */
#include "../../board.h"

#include "registers.h"

uint32_t board_unique_id(unsigned word)
{
    return FICR_DEVICEID(word);
}

bool board_is_simulated(void)
{
    return UICR_CUSTOMER == UICR_CUSTOMER_SIMULATED;
}

static void wait_until_ready(void)
{
    while (NVMC_READY == 0) {}
}

void board_flash_erase_page(uint32_t address)
{
    NVMC_CONFIG = NVMC_CONFIG_EEN;
    wait_until_ready();
    NVMC_ERASEPAGE = address;
    wait_until_ready();
    NVMC_CONFIG = NVMC_CONFIG_REN;
    wait_until_ready();
}

BOARD_CODE_WHILE_WRITING void board_flash_write_begin(void)
{
    NVMC_CONFIG = NVMC_CONFIG_WEN;
}

BOARD_CODE_WHILE_WRITING void board_flash_write_word(uint32_t address, uint32_t value)
{
    REGISTER(address) = value;
}

BOARD_CODE_WHILE_WRITING bool board_flash_is_ready(void)
{
    return NVMC_READY != 0;
}

BOARD_CODE_WHILE_WRITING void board_flash_write_end(void)
{
    NVMC_CONFIG = NVMC_CONFIG_REN;
}
