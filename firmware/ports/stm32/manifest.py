# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# What every stm32 board freezes. The port mounts /flash itself; see deploy.md of the boards.
include("$(MPY_DIR)/extmod/asyncio")
add_library("particle", "../../components")
require("all", library="particle")
include("../../boot/manifest.py", firmware=True)
freeze("../common", "boot.py")
