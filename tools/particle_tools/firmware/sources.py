"""The sources firmware is built from: Debian's MicroPython, with mbedTLS where it belongs."""

import shutil
from pathlib import Path

from particle_tools import cache, debian
from particle_tools.errors import UserError

NAME = "debian-trixie-micropython-1.25.0"

_MICROPYTHON = "micropython"
_VERSION = "1.25.0+ds-1"
_MBEDTLS = "mbedtls"  # whatever the suite has: it gets security updates


def fetch() -> Path:
    """Return the MicroPython tree of the cache, fetched first unless that was done.

    Raises RuntimeError with a one-line reason when it cannot be had.
    """
    return cache.install(NAME, _fill) / _MICROPYTHON


def fetched() -> bool:
    """Tell whether the tree is in the cache."""
    return (cache.folder() / NAME).exists()


def find(given: Path | None = None) -> Path:
    """Return `given` or the tree of the cache. Raises UserError when it is not one."""
    if given is None:
        try:
            return fetch()
        except RuntimeError as error:
            raise UserError(f"MicroPython's sources: {error}; or use --micropython DIR") from None
    if not (given / "py" / "mkrules.mk").exists():
        raise UserError(f"--micropython {given}: not a MicroPython source tree")
    if not (given / "lib" / "mbedtls" / "library").exists():
        raise UserError(
            f"--micropython {given}: lib/mbedtls is empty, run `make submodules` there"
        )
    return given.resolve()


def _fill(work: Path) -> None:
    found = debian.unpack_sources(work, [f"{_MICROPYTHON}={_VERSION}", _MBEDTLS])
    place = found[_MICROPYTHON] / "lib" / "mbedtls"
    shutil.rmtree(place)
    place.mkdir()
    for folder in ("include", "library"):
        shutil.move(found[_MBEDTLS] / folder, place / folder)
    shutil.copy(found[_MBEDTLS] / "LICENSE", place)
    shutil.rmtree(found[_MBEDTLS])
