# Written by `make mip`.
metadata(description="Particle device cloud: component core-udp", license="MIT")
add_library("particle", "..")
require("core", library="particle")
package(
    "particle",
    files=[
        "crypto/ccm.py",
        "crypto/p256.py",
        "crypto/prf.py",
        "session/dtls.py",
        "session/resume.py",
        "store/keys_ec.py",
        "wire/dtls_handshake.py",
        "wire/dtls_record.py",
    ],
    base_path="../../../lib",
)
module("particle_names_core_udp.py")
