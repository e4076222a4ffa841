# Written by `make mip`.
metadata(description="Particle device cloud: everything", license="MIT")
add_library("particle", "..")
require("core-udp", library="particle")
require("core-tcp", library="particle")
require("host", library="particle")
require("dtls-std", library="particle")
require("queue", library="particle")
require("repl", library="particle")
