MCU_SERIES = m4
MCU_VARIANT = nrf52
MCU_SUB_VARIANT = nrf52840
SOFTDEV_VERSION = 6.1.1
LD_FILES += $(BOARD_DIR)/../../firmware/ports/nrf/uf2_bootloader.ld boards/nrf52840_1M_256k.ld

NRF_DEFINES += -DNRF52840_XXAA

MICROPY_VFS_LFS2 = 1
# 0xA4000 to 0xF4000
FS_SIZE = 320k

FROZEN_MANIFEST ?= $(BOARD_DIR)/manifest.py

uf2: hex
	$(PYTHON) $(TOP)/tools/uf2conv.py -c -f 0xADA52840 -o $(BUILD)/firmware.uf2 $(BUILD)/firmware.hex
