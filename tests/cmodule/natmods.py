"""The native `.mpy` of `_particle_crypto` for the tests, and the unit tests that meet it."""

import device_suite
from particle_tools.firmware import natmod, sources

NAME = "native .mpy"
CHECKS = "tests/cmodule/native_checks.py"

_GROUPS = ("crypto/test_p256", "crypto/test_ccm", "wire/test_dtls", "session/test_dtls")
#: Unit tests of what the module calculates or what is built on it.
FILES = [
    file
    for file in device_suite.FILES
    if any(file.startswith("tests/" + group) for group in _GROUPS)
]


def have(need, arch: str) -> bytes:
    """Return the module for `arch`; the test is NOT RUN when it cannot be built."""
    packages = natmod.missing(arch)
    command = f"apt-get install {packages}" if packages else "make fetch"
    need(f"{NAME} for {arch}", not packages and sources.fetched(), command)
    return natmod.build(arch)
