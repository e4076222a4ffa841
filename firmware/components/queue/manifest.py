# Written by `make mip`.
metadata(description="Particle device cloud: component queue", license="MIT")
package(
    "particle",
    files=[
        "persisted.py",
        "session/kept.py",
        "store/queue.py",
    ],
    base_path="../../../lib",
)
module("particle_names_queue.py")
