# Written by `make mip`.
metadata(description="Particle device cloud: component slots", license="MIT")
package(
    "particle",
    files=[
        "ota/app_slots.py",
        "ota/assets.py",
        "ota/bootrecord.py",
        "ota/record.py",
        "ota/rescue.py",
        "ota/trial.py",
    ],
    base_path="../../../lib",
)
module("particle_names_slots.py")
