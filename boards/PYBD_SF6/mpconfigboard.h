// MicroPython's board; mboot reads littlefs instead of FAT.
#include "boards/PYBD_SF6/mpconfigboard.h"

#undef MBOOT_VFS_FAT
#define MBOOT_VFS_LFS2 (1)
