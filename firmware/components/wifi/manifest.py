# Written by `make mip`.
metadata(description="Particle device cloud: component wifi", license="MIT")
package(
    "particle",
    files=[
        "net/ping.py",
        "net/wifi.py",
        "wireless.py",
    ],
    base_path="../../../lib",
)
module("particle_names_wifi.py")
