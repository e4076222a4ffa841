"""What an upload holds for a device: firmware modules, or a bundle of a module and its assets."""

from __future__ import annotations

from particle_tools import zipped
from particle_tools.cloud import modules
from particle_tools.cloud.modules import BadModule
from particle_tools.cloud.updates import ASSET, MODULE, File

_ASSETS = "assets/"
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
        if zipped.is_zip(data):
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
    try:
        for path, content in zipped.members(data, largest):
            is_asset = path.startswith(_ASSETS)
            name = path.removeprefix(_ASSETS)
            if not name or "/" in name or "\\" in name or name in [f.name for f in found]:
                raise BadModule(
                    modules.NOT_FOUND, f"The bundle holds a file in a wrong place: {name}"
                )
            found.append(File(name, ASSET if is_asset else MODULE, content))
    except zipped.TooLarge as error:
        raise BadModule(_INVALID_SIZE, str(error)) from error
    except zipped.TooMany as error:
        raise BadModule(modules.NOT_FOUND, str(error)) from error
    except zipped.Damaged as error:
        raise BadModule(modules.INTEGRITY, str(error)) from error
    if not any(file.kind == MODULE for file in found):
        raise BadModule(modules.NOT_FOUND, "The bundle holds no application")
    return found
