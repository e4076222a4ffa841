# ruff: noqa: F821  the names belong to MicroPython's makemanifest
include("$(BOARD_DIR)/../../firmware/ports/esp32/manifest.py")
freeze("modules")
