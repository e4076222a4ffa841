# MicroPython's board with what the library needs frozen in.
FROZEN_MANIFEST ?= $(BOARD_DIR)/manifest.py
include boards/PYBD_SF6/mpconfigboard.mk
override BOARD_PINS = boards/PYBD_SF6/pins.csv

# What is half written of a packed image never starts. Its keys are in mboot_keys.h, which stays secret.
MBOOT_ENABLE_PACKING = 1
