#include "nrf.h"

#define UF2_RESET (0x57)

void board_enter_bootloader(void) {
    __disable_irq();
    NRF_POWER->GPREGRET = UF2_RESET;
    NVIC_SystemReset();
}
