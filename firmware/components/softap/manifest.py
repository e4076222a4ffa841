# Written by `make mip`.
metadata(description="Particle device cloud: component softap", license="MIT")
package(
    "particle",
    files=[
        "setup/softap.py",
        "setup/softap_commands.py",
        "setup/softap_http.py",
        "setup/softap_server.py",
    ],
    base_path="../../../lib",
)
