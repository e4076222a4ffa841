# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# With CORE=1: what an application over UDP needs and no more; `bench.heap_frozen` measures it.
metadata(description="Particle device cloud on an emulated Cortex-M3: core")
add_library("particle", "$(BOARD_DIR)/../../firmware/components")
require("core-udp", library="particle")
require("host", library="particle")
freeze("modules")
