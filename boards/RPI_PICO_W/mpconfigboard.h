// MicroPython's board with another layout of the flash.
#include "boards/RPI_PICO_W/mpconfigboard.h"

// From the end of the flash: files, and below them two images of an application.
#undef MICROPY_HW_FLASH_STORAGE_BYTES
#define MICROPY_HW_FLASH_STORAGE_BYTES (592 * 1024)
#define MICROPY_HW_ROMFS_BYTES (256 * 1024)
