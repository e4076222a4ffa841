# ruff: noqa: F821  the names belong to MicroPython's makemanifest
metadata(description="Particle device cloud on an emulated Cortex-M3", version="0.1.0")
include("$(MPY_DIR)/extmod/asyncio")
package("particle", base_path="$(BOARD_DIR)/../../lib")
freeze("modules")
