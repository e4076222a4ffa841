# Written by `make mip`.
metadata(description="Particle device cloud: component networks", license="MIT")
package(
    "particle",
    files=[
        "store/access.py",
        "store/enterprise.py",
        "store/networks.py",
        "store/nvs.py",
        "store/pair.py",
        "store/place.py",
        "store/sealed.py",
    ],
    base_path="../../../lib",
)
module("particle_names_networks.py")
