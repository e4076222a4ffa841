// MicroPython's board, with an mboot that reads littlefs and repeats what a power cut ends.
#include <stdint.h>
#include "boards/PYBD_SF6/mpconfigboard.h"

#undef MBOOT_VFS_FAT
#define MBOOT_VFS_LFS2 (1)

// MBOOT of the profile: the part of SPI flash #1 that every board has, registers that nothing else uses.
#define PARTICLE_MBOOT_BASE (MBOOT_SPIFLASH_ADDR)
#define PARTICLE_MBOOT_BYTES (0x200000)
#define PARTICLE_MBOOT_BLOCK (4096)
#define PARTICLE_MBOOT_ORDER (&RTC->BKP4R)
// WDT_MS of the profile is not 0: what is tried is watched from before its first instruction.
#define PARTICLE_MBOOT_IWDG (IWDG)

#undef MBOOT_BOARD_EARLY_INIT
#define MBOOT_BOARD_EARLY_INIT(initial_r0) particle_mboot_board_init(initial_r0)
void particle_mboot_board_init(uint32_t *initial_r0);
