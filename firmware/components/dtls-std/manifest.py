# Written by `make mip`.
metadata(description="Particle device cloud: component dtls-std", license="MIT")
package(
    "particle",
    files=[
        "session/dtls_std.py",
    ],
    base_path="../../../lib",
)
module("particle_names_dtls_std.py")
