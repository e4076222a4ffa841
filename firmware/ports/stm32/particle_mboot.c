// The hook in mboot that makes a firmware update of an STM32 safe (ota-and-boot 3.5): what a power
// cut interrupts is done again, and what is not well is replaced by what was there before.
//
// In a board's board_init.c, which mboot is built with too:
//     #if BUILDING_MBOOT
//     #include ".../firmware/ports/stm32/particle_mboot.c"
//     #endif
// and in its mpconfigboard.h (MBOOT = (base, bytes, block, address) of its profile, in order):
//     #define PARTICLE_MBOOT_BASE (0x80000000)
//     #define PARTICLE_MBOOT_BYTES (0x200000)
//     #define PARTICLE_MBOOT_BLOCK (4096)
//     #define PARTICLE_MBOOT_ORDER (&RTC->BKP4R)  // and the register behind it
//     #define PARTICLE_MBOOT_IWDG (IWDG)              // where firmwares feed it while tried
//     #define MBOOT_BOARD_EARLY_INIT(r0) particle_mboot_early_init(r0)
// mboot with MBOOT_FSLOAD, MBOOT_VFS_LFS2 and MBOOT_ENABLE_PACKING: the first words of a packed
// image are written last, so what is half written is no application.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// As in lib/particle/ota/mboot_firmware.py.
enum {
    ORDER_MAGIC = 0x5054,
    PROGRAM = 1,
    TRIAL = 2,
    PROGRAM_OLD = 3,
    FAILED = 4,
    ROLLED_BACK = 5,
    TRIES = 3,
    WAITS = 1,
};

static uint32_t order_of(unsigned state, unsigned tries) {
    return (uint32_t)ORDER_MAGIC << 16 | state << 8 | tries;
}

// Tell an application by its first words. mboot itself looks at the stack pointer alone, which may
// be all that was written when the power failed.
int particle_mboot_valid(uint32_t stack, uint32_t start) {
    return (stack & 3) == 0 && (start & 0xff000001) == 0x08000001;
}

// Return what is to be written, PROGRAM or PROGRAM_OLD, or 0 to go on as ever.
// order, status: the registers; valid: whether there is an application.
int particle_mboot_decide(uint32_t *order, uint32_t *status, int valid) {
    unsigned state = *order >> 16 == ORDER_MAGIC ? *order >> 8 & 0xff : 0;
    unsigned tries = *order & 0xff;
    if (state == PROGRAM || state == PROGRAM_OLD) {
        if (*status == WAITS) {
            return state; // not begun yet, or interrupted
        }
        if (*status == 0) {
            // the start that follows is the first one
            *order = state == PROGRAM ? order_of(TRIAL, TRIES - 1) : order_of(ROLLED_BACK, 0);
            return 0;
        }
        if (!valid && tries) {
            *order = order_of(state, tries - 1); // the flash has failed
            *status = WAITS;
            return state;
        }
        if (valid) {
            // nothing was written: the file was refused
            *order = state == PROGRAM ? order_of(FAILED, 0) : order_of(TRIAL, TRIES - 1);
            return 0;
        }
        if (state == PROGRAM_OLD) {
            return 0; // that is for somebody with a cable
        }
        tries = 0;
    } else if (state == TRIAL) {
        if (tries) {
            *order = order_of(TRIAL, tries - 1);
            return 0;
        }
    } else if (valid) {
        return 0;
    } else {
        // the power failed for longer than the registers last
        *order = order_of(PROGRAM, TRIES);
        *status = WAITS;
        return PROGRAM;
    }
    *order = order_of(PROGRAM_OLD, TRIES);
    *status = WAITS;
    return PROGRAM_OLD;
}

// Tell whether the firmware that is started now is being tried.
int particle_mboot_tried(uint32_t order) {
    return order >> 8 == (ORDER_MAGIC << 8 | TRIAL);
}

// Start the independent watchdog with its longest time, about 32 s. registers: KR, PR, RLR, SR.
// Only a reset stops it; the boot stage of a firmware that is tried sets its own time. One that
// hangs before that is reset, and has three starts like any other.
void particle_mboot_watch(volatile uint32_t *registers) {
    registers[0] = 0xcccc; // run
    registers[0] = 0x5555; // let the next two be written
    registers[1] = 6; // divide by 256
    registers[2] = 0xfff;
    // both are taken over with the watchdog's slow clock
    for (uint32_t i = 0; (registers[3] & 3) && i < 0x40000; ++i) {
    }
    registers[0] = 0xaaaa; // feed
}

#ifndef PARTICLE_MBOOT_PATH
#define PARTICLE_MBOOT_PATH "/pt/fw."
#endif

static uint8_t *element(uint8_t *to, uint8_t type, const void *data, size_t size) {
    *to++ = type;
    *to++ = (uint8_t)size;
    memcpy(to, data, size);
    return to + size;
}

static uint8_t *number(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; ++i) {
        *to++ = (uint8_t)(value >> 8 * i);
    }
    return to;
}

// Fill in what tells mboot to load a file; return how many bytes that are.
// what: PROGRAM or PROGRAM_OLD; status: address of the second register.
size_t particle_mboot_elements(
    uint8_t *to, int what, uint32_t base, uint32_t bytes, uint32_t block, uint32_t status) {
    static const char run[] = "\1" PARTICLE_MBOOT_PATH "run/firmware.pack.dfu";
    static const char old[] = "\1" PARTICLE_MBOOT_PATH "old/firmware.pack.dfu";
    uint8_t data[14] = {1, 3}; // mount point, littlefs 2
    uint8_t *at = number(number(number(data + 2, base), bytes), block);
    at = element(to, 2, data, (size_t)(at - data));
    at = element(at, 3, what == PROGRAM ? run : old, sizeof(run) - 1);
    number(data, status);
    at = element(at, 4, data, 4);
    at = element(at, 1, data, 0);
    return (size_t)(at - to);
}

#ifdef PARTICLE_MBOOT_ORDER
#include "mboot.h"
#include "py/mphal.h"

#define FSLOAD_KEY (0x70ad0080)

void particle_mboot_early_init(uint32_t *initial_r0) {
    volatile uint32_t *registers = (volatile uint32_t *)PARTICLE_MBOOT_ORDER;
    uint32_t order = registers[0], status = registers[1];
    const volatile uint32_t *vectors = (const volatile uint32_t *)APPLICATION_ADDR;
    int valid = particle_mboot_valid(vectors[0], vectors[1]);
    int what = particle_mboot_decide(&order, &status, valid);
    LL_PWR_EnableBkUpAccess();
    registers[0] = order;
    registers[1] = status;
    if (what) {
        particle_mboot_elements(
            ELEM_DATA_START, what, PARTICLE_MBOOT_BASE, PARTICLE_MBOOT_BYTES, PARTICLE_MBOOT_BLOCK,
            (uint32_t)&registers[1]);
        *initial_r0 = FSLOAD_KEY;
    }
#ifdef PARTICLE_MBOOT_IWDG
    else if (particle_mboot_tried(order)) {
        particle_mboot_watch((volatile uint32_t *)PARTICLE_MBOOT_IWDG);
    }
#endif
}
#endif
