# Written by `make mip`.
metadata(description="Particle device cloud: component ota", license="MIT")
package(
    "particle",
    files=[
        "ota/direct.py",
        "ota/staging.py",
        "ota/targets.py",
        "session/chunked.py",
        "session/transfer.py",
        "session/update.py",
        "updating.py",
        "wire/ota.py",
    ],
    base_path="../../../lib",
)
module("particle_names_ota.py")
