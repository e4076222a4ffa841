# Written by `make mip`.
metadata(description="Particle device cloud: component native", license="MIT")
package(
    "particle",
    files=[
        "crypto/native.py",
    ],
    base_path="../../../lib",
)
module("particle_names_native.py")
