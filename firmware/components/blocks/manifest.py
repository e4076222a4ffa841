# Written by `make mip`.
metadata(description="Particle device cloud: component blocks", license="MIT")
package(
    "particle",
    files=[
        "session/blocks.py",
    ],
    base_path="../../../lib",
)
module("particle_names_blocks.py")
