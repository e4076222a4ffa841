"""A 32-bit MicroPython 1.25 without a compiler: Debian's i386 package in a private apt root.

Nothing is installed on the machine: the packages are unpacked into the cache and
started through their own dynamic loader.
"""

from pathlib import Path

from particle_tools import cache, debian

NAME = "debian-trixie-i386-micropython"
COMMAND = "make fetch"

_PACKAGES = (
    "micropython libc6 libffi8 libgcc-s1 libmbedtls21 libmbedx509-7 libmbedcrypto16"
).split()


def find() -> list[str] | None:
    """Return the command that starts the interpreter, or None when it was not fetched."""
    root = cache.folder() / NAME / "root"
    loader = root / "usr/lib/i386-linux-gnu/ld-linux.so.2"
    if not loader.exists():
        loader = root / "usr/lib/ld-linux.so.2"
    if not loader.exists():
        return None
    library_path = str(root / "usr/lib/i386-linux-gnu")
    return [str(loader), "--library-path", library_path, str(root / "usr/bin/micropython")]


def fetch() -> list[str]:
    """Fetch and unpack it unless that was done, and return the command that starts it.

    Raises RuntimeError with a one-line reason, for instance when the machine has no Debian
    package source.
    """
    cache.install(NAME, _fill)
    return find()


def _fill(work: Path) -> None:
    debian.unpack_packages(work, "i386", _PACKAGES)
