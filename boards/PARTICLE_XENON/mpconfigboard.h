// MicroPython's board, with a way into its bootloader.
#include "boards/PARTICLE_XENON/mpconfigboard.h"

// Adafruit's bootloader shows its drive when it finds 0x57 here.
#define MICROPY_BOARD_ENTER_BOOTLOADER(nargs, args) board_enter_bootloader()
void board_enter_bootloader(void);
