# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# For a unix port with the library frozen in; the shims in modules/ stay files, they need the host.
metadata(description="Particle device cloud on the MicroPython unix port", version="0.1.0")
package("particle", base_path="$(BOARD_DIR)/../../lib")
