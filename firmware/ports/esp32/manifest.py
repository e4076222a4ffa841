# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# What every ESP32 board freezes. Of MicroPython's modules `_boot` is replaced.
freeze("$(PORT_DIR)/modules", ("apa106.py", "espnow.py", "flashbdev.py", "inisetup.py"))
include("$(MPY_DIR)/extmod/asyncio")
add_library("particle", "../../components")
require("all", library="particle")
include("../../boot/manifest.py", firmware=True)
freeze("../common", ("board_files.py", "boot.py"))
freeze(".", "_boot.py")
