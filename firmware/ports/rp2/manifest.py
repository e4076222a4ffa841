# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# What every rp2 board freezes. Of MicroPython's modules `_boot` is replaced.
freeze("$(PORT_DIR)/modules", "rp2.py")
include("$(MPY_DIR)/extmod/asyncio")
add_library("particle", "../../components")
require("all", library="particle")
include("../../boot/manifest.py", romfs=True)
freeze("../common", ("board_files.py", "boot.py"))
freeze(".", "_boot.py")
