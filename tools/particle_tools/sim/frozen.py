"""What is frozen in a firmware of a simulated board: modules, as a ROMFS."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from mpremote.romfs import VfsRomWriter

from particle_tools.images import applications


def romfs(folder: Path | None) -> bytes:
    """Return the modules below `folder`, compiled; nothing without a folder.

    They are found before those of this checkout. Raises UserError.
    """
    if folder is None:
        return b""
    tree: dict = {}
    for name, data in applications.files(folder).items():
        *folders, last = PurePosixPath(name).parts
        place = tree
        for each in folders:
            place = place.setdefault(each, {})
        place[last] = data
    writer = VfsRomWriter()
    _fill(writer, tree)
    return bytes(writer.finalise())


def _fill(writer: VfsRomWriter, tree: dict) -> None:
    for name, content in sorted(tree.items()):
        if isinstance(content, dict):
            writer.opendir(name)
            _fill(writer, content)
            writer.closedir()
        else:
            writer.mkfile(name, content)
