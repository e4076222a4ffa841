# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# What every nrf board freezes. `_mkfs`, run when /flash cannot be mounted, is ours: files stay.
include("$(MPY_DIR)/extmod/asyncio")
add_library("particle", "../../components")
require("core-udp", library="particle")
require("native", library="particle")
freeze("../common", ("board_files.py", "boot.py"))
freeze(".", "_mkfs.py")
