"""ZIPs that somebody sends: read within limits; whatever is wrong with one is one error."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

_BEGIN = b"PK\x03\x04"
_MEMBERS = 256
# What zipfile lets through: the last two for a way of compressing that it does not know, and for
# encryption.
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)


class Damaged(ValueError):
    """It cannot be read."""


class TooMany(ValueError):
    """It has more files than anybody needs."""


class TooLarge(ValueError):
    """Its files are larger together than they may be."""


def is_zip(data: bytes) -> bool:
    """Tell whether these bytes are a ZIP, not only have one in them."""
    return data[: len(_BEGIN)] == _BEGIN and zipfile.is_zipfile(io.BytesIO(data))


def members(data: bytes, largest: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of its files; `largest`: bytes of all together.

    Raises Damaged, TooMany, TooLarge.
    """
    room = largest
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > _MEMBERS:
                raise TooMany(f"The bundle has more than {_MEMBERS} files")
            for info in infos:
                # What the directory says about the size is not to be believed.
                with archive.open(info) as member:
                    content = member.read(room + 1)
                room -= len(content)
                if room < 0:
                    raise TooLarge("The files of the bundle are too large")
                yield info.filename, content
    except _DAMAGED as error:
        raise Damaged(f"The bundle is damaged: {error}") from error
