# Written by `make mip`.
metadata(description="Particle device cloud: component softap", license="MIT")
package(
    "particle",
    files=[
        "setup/softap.py",
        "setup/softap_commands.py",
        "setup/softap_configure.py",
        "setup/softap_dns.py",
        "setup/softap_http.py",
        "setup/softap_json.py",
        "setup/softap_key.py",
        "setup/softap_server.py",
        "setup/softap_tcp.py",
    ],
    base_path="../../../lib",
)
module("particle_names_softap.py")
