# ruff: noqa: F821  the names belong to MicroPython's makemanifest
metadata(description="The boot stage of a board with two applications", license="MIT")
freeze(".", ("main.py", "particle_boot.py"))
