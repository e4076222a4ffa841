# Written by `make mip`.
metadata(description="Particle device cloud: component portal", license="MIT")
package(
    "particle",
    files=[
        "setup/portal.py",
    ],
    base_path="../../../lib",
)
module("particle_names_portal.py")
