# Written by `make mip`.
metadata(description="Particle device cloud: component safe", license="MIT")
package(
    "particle",
    files=[
        "runtime/control.py",
        "runtime/power.py",
    ],
    base_path="../../../lib",
)
module("particle_names_safe.py")
