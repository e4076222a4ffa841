// The QEMU port's configuration plus what boards with a network have.

#include "mpconfigport.h"

#undef MICROPY_PY_TIME
#undef MICROPY_PY_SELECT
#undef MICROPY_PY_ASYNCIO
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#define MICROPY_PY_TIME_INCLUDEFILE "board_time.c"
#define MICROPY_PY_SELECT (1)
#define MICROPY_PY_ASYNCIO (1)
#define MICROPY_ENABLE_SCHEDULER (1)
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_OS_INCLUDEFILE "board_os.c"
#define MICROPY_PY_RANDOM_SEED_INIT_FUNC (board_random_u32())
#undef MICROPY_PY_MACHINE_INCLUDEFILE
#define MICROPY_PY_MACHINE_INCLUDEFILE "board_machine.c"
#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_RTC), MP_ROM_PTR(&board_rtc_type) },
#define MICROPY_PY_CRYPTOLIB (1)
#define MICROPY_PY_HASHLIB_MD5 (1)
#define MICROPY_PY_HASHLIB_SHA1 (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)

#define MICROPY_TRACKED_ALLOC (QEMU_M3_ECP)

// Sleep until the next tick of 1 ms instead of spinning on the host's processor.
#define MICROPY_INTERNAL_WFE(TIMEOUT_MS) board_wait_tick()

extern const struct _mp_obj_type_t board_rtc_type;

void board_wait_tick(void);
uint32_t board_random_u32(void);

// Seconds since the port's epoch, 2000; zero at power-on.
uint32_t board_seconds(void);
void board_set_seconds(uint32_t seconds);
