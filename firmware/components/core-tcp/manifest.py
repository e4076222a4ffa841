# Written by `make mip`.
metadata(description="Particle device cloud: component core-tcp", license="MIT")
add_library("particle", "..")
require("core", library="particle")
package(
    "particle",
    files=[
        "crypto/der.py",
        "crypto/rsa.py",
        "session/aes_tcp.py",
        "store/keys.py",
    ],
    base_path="../../../lib",
)
module("particle_names_core_tcp.py")
