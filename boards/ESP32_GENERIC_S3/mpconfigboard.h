// A variant may have another name.
#ifndef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Generic ESP32S3 module"
#endif

#define MICROPY_HW_MCU_NAME "ESP32S3"

// The REPL is at the UART too, for modules with a converter of their own.
#define MICROPY_HW_ENABLE_UART_REPL (1)

#define MICROPY_HW_I2C0_SCL (9)
#define MICROPY_HW_I2C0_SDA (8)

// The partition romfs is mounted at /rom, which the port does not do unless it is told to.
#define MICROPY_VFS_ROM (1)
#define MICROPY_VFS_ROM_IOCTL (1)
