# Written by `make mip`.
metadata(description="Particle device cloud: component mboot", license="MIT")
package(
    "particle",
    files=[
        "ota/mboot.py",
        "ota/mboot_firmware.py",
    ],
    base_path="../../../lib",
)
module("particle_names_mboot.py")
