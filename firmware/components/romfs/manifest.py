# Written by `make mip`.
metadata(description="Particle device cloud: component romfs", license="MIT")
package(
    "particle",
    files=[
        "ota/region.py",
        "ota/romfs_slots.py",
    ],
    base_path="../../../lib",
)
module("particle_names_romfs.py")
