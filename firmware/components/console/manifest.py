# Written by `make mip`.
metadata(description="Particle device cloud: component console", license="MIT")
package(
    "particle",
    files=[
        "setup/serial.py",
    ],
    base_path="../../../lib",
)
module("particle_names_console.py")
