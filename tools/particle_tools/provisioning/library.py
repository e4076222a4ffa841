"""The components that provisioning needs on a board, installed from this tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from particle_tools import packing
from particle_tools.provisioning.link import Board, LibraryMissing

_OLDEST = (0, 1, 0)  # that has what the programs of `on_board` use


def components(transport: str, net: str) -> list[str]:
    """Return the components of a board that connects over `transport` and `net`."""
    return [f"core-{transport}", "repl", "networks", "keygen", "wifi" if net == "wifi" else "host"]


def needed() -> dict[str, list[str]]:
    """Return by transport the modules that a board must have to get ready and to connect."""
    found = {}
    for transport in ("udp", "tcp"):
        names = (f"core-{transport}", "networks", "keygen")
        modules = {module for name in names for module in packing.COMPONENTS[name]}
        found[transport] = sorted(modules | {"runtime/board"})
    return found


def transport_of(bare: dict[str, Any], wanted: str | None = None) -> str:
    """Return the transport that a board is to use: its own, unless only the other is there."""
    if wanted:
        return wanted
    own = bare["transport"]
    missing = bare.get("missing") or {own: []}
    whole = [name for name, modules in missing.items() if not modules]
    return own if own in whole or not whole else whole[0]


def check(bare: dict[str, Any], transport: str) -> None:
    """Raise LibraryMissing if a board has no library, one that is too old or lacks a part."""
    version = str(bare["library"])
    if bare["library"] is None:
        raise LibraryMissing("", "the library is not on the board")
    try:
        old = tuple(map(int, version.split("."))) < _OLDEST
    except ValueError:
        old = True
    if old:
        newest = ".".join(map(str, _OLDEST))
        raise LibraryMissing("", f"the library on the board is {version}, {newest} is needed")
    if bare["missing"][transport]:
        module = bare["missing"][transport][0]
        raise LibraryMissing(module, f"particle/{module} is not on the board")


def explain(missing: LibraryMissing, transport: str, net: str) -> str:
    """Return one line: what is missing, and how it gets there."""
    where = [name for name in packing.COMPONENTS if missing.module in packing.COMPONENTS[name]]
    part = f" (component {where[0]})" if where else ""
    names = " ".join(components(transport, net))
    return f"{missing.text}{part}: --install puts {names} on the board"


def install(board: Board, names: list[str], show: Callable[[str], None]) -> list[str]:
    """Put components on the board; return the files that were not there yet.

    A file is there whole or not at all, and `__init__` comes last: what was interrupted is not
    taken for a library.
    """
    modules = {module for name in names for module in packing.COMPONENTS[name]}
    folder = board.library_folder()
    written = []
    ordered = sorted(modules - {"__init__"}) + ["__init__"]
    for i, module in enumerate(ordered):
        show(f"library: {module} ({i + 1} of {len(ordered)})")
        data = packing.compile_module(packing.source(module))
        if board.write_file(f"{folder}/particle/{module}.mpy", data):
            written.append(module)
    return written
