# ruff: noqa: F821  the names belong to MicroPython's makemanifest
metadata(description="Particle device cloud on an emulated Cortex-M3")
include("$(MPY_DIR)/extmod/asyncio")
add_library("particle", "$(BOARD_DIR)/../../firmware/components")
require("all", library="particle")
freeze("modules")
# the boot stage without its main.py: modules/_boot.py starts it
freeze("$(BOARD_DIR)/../../firmware/boot", ("particle_boot.py", "particle_files.py"))
