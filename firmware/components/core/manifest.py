# Written by `make mip`.
metadata(description="Particle device cloud: what both transports need", license="MIT")
package(
    "particle",
    files=[
        "__init__.py",
        "client.py",
        "errors.py",
        "net/dns.py",
        "net/sockets.py",
        "operation.py",
        "session/conn.py",
        "session/messaging.py",
        "store/container.py",
        "values.py",
        "wire/coap.py",
        "wire/messages.py",
    ],
    base_path="../../../lib",
)
module("particle_names_core.py")
