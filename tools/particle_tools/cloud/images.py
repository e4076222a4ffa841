"""What an upload holds for a device: firmware modules, or a bundle of a module and its assets."""

from __future__ import annotations

import io
import zipfile
import zlib

from particle_tools.cloud import modules
from particle_tools.cloud.modules import BadModule
from particle_tools.cloud.updates import ASSET, MODULE, File

_ASSETS = "assets/"
_ZIP = b"PK\x03\x04"  # how one begins
_MEMBERS = 256
_ASSET_FUNCTION = 9
_BINARY = (".bin", ".zip")
_INVALID_SIZE = -1351


class Source(ValueError):
    """The upload is source code."""


def images(
    files: list[tuple[str, bytes]], *, binary: bool, platform_id: int | None, largest: int
) -> list[File]:
    """Return what a device of this platform shall be given.

    binary: the files are no source code, whatever they are called. largest: bytes of one module.
    Raises BadModule, Source.
    """
    found: list[File] = []
    for name, data in files:
        # a module may have a ZIP in it
        if data[:4] == _ZIP and zipfile.is_zipfile(io.BytesIO(data)):
            found += _bundle(data, largest)
        else:
            found.append(File(name, MODULE, data))
    for file in found:
        if file.kind == MODULE:
            _check(file, binary or file.name.lower().endswith(_BINARY), platform_id, largest)
    return found


def _check(file: File, binary: bool, platform_id: int | None, largest: int) -> None:
    try:
        read = modules.read(file.data)
    except BadModule as error:
        if not binary:
            raise Source(file.name) from error
        raise BadModule(error.code, f"{file.name}: {error}") from error
    if len(file.data) > largest:
        raise BadModule(
            _INVALID_SIZE,
            f"{file.name} has {len(file.data)} bytes, the device takes {largest}",
        )
    for module in read:
        foreign = platform_id is not None and module.platform_id != platform_id
        if foreign and module.function != _ASSET_FUNCTION:
            raise BadModule(
                modules.PLATFORM,
                f"{file.name} is for platform {module.platform_id}, the device is of"
                f" platform {platform_id}",
            )


def _bundle(data: bytes, largest: int) -> list[File]:
    """Unpack a bundle: applications at the top, assets in a folder of that name."""
    found: list[File] = []
    room = largest
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            members = [info for info in bundle.infolist() if not info.is_dir()]
            if len(members) > _MEMBERS:
                raise BadModule(modules.NOT_FOUND, f"The bundle has more than {_MEMBERS} files")
            for info in members:
                is_asset = info.filename.startswith(_ASSETS)
                name = info.filename.removeprefix(_ASSETS)
                if not name or "/" in name or "\\" in name or name in [f.name for f in found]:
                    raise BadModule(
                        modules.NOT_FOUND, f"The bundle holds a file in a wrong place: {name}"
                    )
                # What the directory says about the size is not to be believed.
                with bundle.open(info) as member:
                    content = member.read(room + 1)
                room -= len(content)
                if room < 0:
                    raise BadModule(_INVALID_SIZE, "The files of the bundle are too large")
                found.append(File(name, ASSET if is_asset else MODULE, content))
    # zipfile raises the last two for a way of compressing it does not know, and for encryption.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadModule(modules.INTEGRITY, f"The bundle is damaged: {error}") from error
    if not any(file.kind == MODULE for file in found):
        raise BadModule(modules.NOT_FOUND, "The bundle holds no application")
    return found
