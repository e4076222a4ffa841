# Written by `make mip`.
metadata(description="Particle device cloud: component images", license="MIT")
package(
    "particle",
    files=[
        "ota/bundle.py",
        "ota/signed.py",
        "ota/sink.py",
        "ota/slots.py",
        "wire/describe.py",
        "wire/manifest.py",
        "wire/module.py",
    ],
    base_path="../../../lib",
)
module("particle_names_images.py")
