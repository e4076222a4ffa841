// A Xenon with a u-blox SARA modem where the second UART is.
#include "boards/PARTICLE_XENON/mpconfigboard.h"

#undef MICROPY_HW_BOARD_NAME
#undef MICROPY_PY_SYS_PLATFORM
#define MICROPY_HW_BOARD_NAME   "BORON"
#define MICROPY_PY_SYS_PLATFORM "PARTICLE-BORON"

// Adafruit's bootloader shows its drive when it finds 0x57 here.
#define MICROPY_BOARD_ENTER_BOOTLOADER(nargs, args) board_enter_bootloader()
void board_enter_bootloader(void);
