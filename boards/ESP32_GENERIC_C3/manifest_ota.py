# ruff: noqa: F821  the names belong to MicroPython's makemanifest
include("manifest.py")
freeze("variant_ota")
