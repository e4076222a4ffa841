# The QEMU port's MPS2_AN385 (Cortex-M3) with what a stock board has and the port leaves out.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385

CFLAGS += -mthumb -mcpu=cortex-m3 -mfloat-abi=soft
CFLAGS += -DQEMU_SOC_MPS2 -DMICROPY_HW_MCU_NAME='"Cortex-M3"'

CFLAGS += -I$(BOARD_DIR) -DMP_CONFIGFILE='<mpconfigboard.h>'
SRC_C += $(BOARD_DIR)/board.c $(BOARD_DIR)/board_memory.c shared/timeutils/timeutils.c
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7m

LDSCRIPT = $(BOARD_DIR)/mps2.ld
LDFLAGS += -Wl,--wrap=gc_init,--wrap=gc_alloc,--wrap=gc_realloc,--wrap=mp_init,--wrap=pyexec_friendly_repl

MICROPY_VFS_LFS2 = 1
# The most a board here can have; the straps in board.c say how much of it there is.
MICROPY_HEAP_SIZE = 3145728

# cryptolib and hashlib over the same code as on esp32, rp2 and stm32, without TLS.
CFLAGS += -DMICROPY_SSL_MBEDTLS=1 -DMBEDTLS_CONFIG_FILE='"mbedtls_config_board.h"'
CFLAGS += -I$(TOP)/lib/mbedtls/include
SRC_C += $(addprefix lib/mbedtls/library/, \
	aes.c \
	constant_time.c \
	md5.c \
	platform_util.c \
	sha1.c \
	sha256.c \
	)

# For firmware/cmodules/particle_crypto over mbedTLS, as a port with TLS has it.
ifeq ($(PARTICLE_CRYPTO_MBEDTLS),1)
CFLAGS += -DQEMU_M3_ECP=1
SRC_C += $(addprefix lib/mbedtls/library/, \
	bignum.c \
	bignum_core.c \
	ecp.c \
	ecp_curves.c \
	platform.c \
	)
endif

ifeq ($(CORE),1)
override FROZEN_MANIFEST = $(BOARD_DIR)/manifest_core.py
endif
