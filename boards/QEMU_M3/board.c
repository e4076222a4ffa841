// Clock, random numbers, boot and heap size of the emulated board.
//
// The 16 MiB of PSRAM at 0x21000000 are a file of the host's (see board.md). Its first words are
// what a board has in fuses: magic, heap bytes, 32 bytes of the host's randomness.

#include "py/mphal.h"
#include "py/runtime.h"
#include "py/gc.h"
#include "shared/runtime/pyexec.h"
#include "mbedtls/sha256.h"

typedef struct {
    uint32_t magic;
    uint32_t heap_bytes;
    uint8_t seed[32];
} straps_t;

#define STRAPS ((const straps_t *)0x21000000)
#define STRAPS_MAGIC (0x30335450) // "PT30"

// CMSDK timer 0 counts down at 25 MHz; with -icount shift=0 a tick is 40 instructions.
#define TIMER_CTRL (*(volatile uint32_t *)0x40000000)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008)
#define TICKS_PER_US (25)

#define SYST_CSR (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define ICSR (*(volatile uint32_t *)0xe000ed04)
#define ICSR_PENDSTCLR (1 << 25)

static void clock_start(void) {
    TIMER_RELOAD = 0xffffffff;
    TIMER_VALUE = 0xffffffff;
    TIMER_CTRL = 1;
    // SysTick is never taken, it only ends WFI: its interrupt stays masked.
    __asm volatile ("cpsid i");
    SYST_RVR = TICKS_PER_US * 1000 - 1;
    SYST_CSR = 7;
}

// Wrong only if nobody asks for the time during 171 s.
static uint64_t clock_ticks(void) {
    static uint32_t last, wraps;
    uint32_t now = 0xffffffff - TIMER_VALUE;
    if (now < last) {
        wraps++;
    }
    last = now;
    return (uint64_t)wraps << 32 | now;
}

void board_wait_tick(void) {
    ICSR = ICSR_PENDSTCLR;
    __asm volatile ("wfi");
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return clock_ticks();
}

mp_uint_t mp_hal_ticks_us(void) {
    return clock_ticks() / TICKS_PER_US;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return clock_ticks() / (TICKS_PER_US * 1000);
}

// What the clock showed at power-on, in ns.
static int64_t epoch_ns;

uint64_t mp_hal_time_ns(void) {
    return epoch_ns + clock_ticks() * (1000 / TICKS_PER_US);
}

uint32_t board_seconds(void) {
    return mp_hal_time_ns() / 1000000000;
}

void board_set_seconds(uint32_t seconds) {
    epoch_ns += (int64_t)seconds * 1000000000 - mp_hal_time_ns();
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = clock_ticks() + (uint64_t)us * TICKS_PER_US;
    while (clock_ticks() < end) {
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end = clock_ticks() + (uint64_t)ms * (TICKS_PER_US * 1000);
    while (clock_ticks() < end) {
        mp_event_wait_ms(1);
    }
}

uint32_t board_random_u32(void) {
    static struct {
        uint8_t seed[32];
        uint32_t count;
    } state;
    uint32_t out[8];
    if (state.count++ == 0) {
        memcpy(state.seed, STRAPS->seed, sizeof(state.seed));
    }
    mbedtls_sha256((const uint8_t *)&state, sizeof(state), (uint8_t *)out, 0);
    return out[0];
}

void __real_gc_init(void *start, void *end);
void __wrap_gc_init(void *start, void *end) {
    clock_start();
    if (STRAPS->magic == STRAPS_MAGIC && STRAPS->heap_bytes) {
        end = (char *)start + MIN(STRAPS->heap_bytes, MICROPY_HEAP_SIZE);
    }
    __real_gc_init(start, end);
}

static bool booted;

void __real_mp_init(void);
void __wrap_mp_init(void) {
    __real_mp_init();
    booted = false;
}

// The port starts at its prompt; a board runs its program first.
int __real_pyexec_friendly_repl(void);
int __wrap_pyexec_friendly_repl(void) {
    if (!booted) {
        booted = true;
        pyexec_frozen_module("_boot.py", true);
    }
    return __real_pyexec_friendly_repl();
}
