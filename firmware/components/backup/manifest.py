# Written by `make mip`.
metadata(description="Particle device cloud: component backup", license="MIT")
package(
    "particle",
    files=[
        "store/backup.py",
        "store/retained.py",
    ],
    base_path="../../../lib",
)
module("particle_names_backup.py")
