# Written by `make mip`.
metadata(description="Particle device cloud: component setup", license="MIT")
package(
    "particle",
    files=[
        "listening.py",
        "setup/button.py",
        "setup/mode.py",
    ],
    base_path="../../../lib",
)
module("particle_names_setup.py")
