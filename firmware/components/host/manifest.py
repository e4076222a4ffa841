# Written by `make mip`.
metadata(description="Particle device cloud: component host", license="MIT")
package(
    "particle",
    files=[
        "net/host.py",
    ],
    base_path="../../../lib",
)
module("particle_names_host.py")
