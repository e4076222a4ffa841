// A variant may have another name.
#ifndef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "ESP32C3 module"
#endif

#define MICROPY_HW_MCU_NAME "ESP32C3"

// The REPL is at the UART too, for modules with a converter of their own.
#define MICROPY_HW_ENABLE_UART_REPL (1)
