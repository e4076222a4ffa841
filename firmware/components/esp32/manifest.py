# Written by `make mip`.
metadata(description="Particle device cloud: component esp32", license="MIT")
package(
    "particle",
    files=[
        "ota/esp32_ab.py",
        "ota/firmware.py",
    ],
    base_path="../../../lib",
)
module("particle_names_esp32.py")
