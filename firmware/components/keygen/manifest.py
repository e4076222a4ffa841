# Written by `make mip`.
metadata(description="Particle device cloud: component keygen", license="MIT")
package(
    "particle",
    files=[
        "crypto/rsagen.py",
        "store/keygen.py",
    ],
    base_path="../../../lib",
)
module("particle_names_keygen.py")
