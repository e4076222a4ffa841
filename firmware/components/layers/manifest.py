# Written by `make mip`.
metadata(description="Particle device cloud: component layers", license="MIT")
package(
    "particle",
    files=[
        "ota/layers.py",
    ],
    base_path="../../../lib",
)
module("particle_names_layers.py")
