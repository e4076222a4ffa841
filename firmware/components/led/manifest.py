# Written by `make mip`.
metadata(description="Particle device cloud: component led", license="MIT")
package(
    "particle",
    files=[
        "runtime/led.py",
    ],
    base_path="../../../lib",
)
module("particle_names_led.py")
