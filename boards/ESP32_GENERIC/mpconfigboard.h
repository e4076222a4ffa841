// A variant may have another name.
#ifndef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Generic ESP32 module"
#endif

#define MICROPY_HW_MCU_NAME "ESP32"
