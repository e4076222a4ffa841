# Written by `make mip`.
metadata(description="Particle device cloud: component images", license="MIT")
package(
    "particle",
    files=[
        "wire/module.py",
    ],
    base_path="../../../lib",
)
