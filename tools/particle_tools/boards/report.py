"""What `particle-mp boards` says of a board: facts for machines, text, a table for documents."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from particle_tools.boards import layout
from particle_tools.boards.catalogue import Board, read

#: What is known of a board by its tier.
TIERS = {
    "A": "emulated, the tests run on it",
    "B": "artifacts checked with the vendor's tools, not tried on hardware",
    "C": "definition only, not tried",
}
_UPDATES = {
    "app-ab": "applications",
    "app-romfs": "applications, run in place",
    "esp32-ab": "applications and firmware",
    "mboot": "applications and firmware",
    "none": "none",
}
_NETWORKS = {"wifi": "Wi-Fi", "ppp": "cellular", "at": "cellular", "host": "the host's"}
_HEAD = ["board", "chip", "network", "updates over the air", "tier"]
_WIDTH = 96


def facts(board: Board) -> dict[str, Any]:
    """Return what there is to say as values of JSON. Raises UserError when files are wrong."""
    profile = board.profile
    return {
        "board": board.title,
        "product": board.record["product"],
        "vendor": board.record["vendor"],
        "port": board.port,
        "chip": board.chip,
        "tier": profile["TIER"],
        "means": TIERS[profile["TIER"]],
        "tried": section(board, "Tried"),
        "network": profile["NET"],
        "updates": {"kind": profile["OTA"], "text": section(board, "Updates")},
        "flash": [
            {"name": part.name, "offset": part.offset, "size": part.size, "what": part.what}
            for part in layout.regions(board)
        ],
        "profile": profile,
    }


def section(board: Board, title: str) -> str:
    """Return a section of its board.md as one line per paragraph."""
    text = read(board.folder / "board.md", board.title)
    match = re.search(rf"^## {title}\n+(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return _plain(match[1]) if match else ""


def line(board: Board) -> list[str]:
    """Return what stands in a table: board, chip, network, updates over the air, tier."""
    profile = board.profile
    network = _NETWORKS.get(profile["NET"], "none")
    return [board.title, board.chip, network, _UPDATES[profile["OTA"]], profile["TIER"]]


def overview(boards: Sequence[Board]) -> str:
    """Return all boards by their tiers."""
    lines = [_HEAD, *(line(board) for board in boards)]
    widths = [max(len(row[column]) for row in lines) for column in range(4)]

    def text(row: Sequence[str]) -> str:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        return f"   {'  '.join(cells)}".rstrip()

    said = [text(_HEAD)]
    for tier, means in TIERS.items():
        said.append(f"{tier}  {means}")
        said += [text(row) for row in lines if row[4] == tier]
    said.append("one of them: particle-mp boards BOARD")
    return "\n".join(said)


def markdown(boards: Sequence[Board]) -> str:
    """Return the table for documents."""
    rows = [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    for board in sorted(boards, key=lambda board: str(board.profile["TIER"])):
        name, *rest = line(board)
        rows.append(f"| [{name}](boards/{board.name}/board.md) | {' | '.join(rest)} |")
    means = "; ".join(f"{tier} {text}" for tier, text in TIERS.items())
    return "\n".join([*rows, "", f"Tier: {means}."])


def details(board: Board) -> str:
    """Return everything about one board."""
    known = facts(board)
    profile = known["profile"]
    network = _NETWORKS.get(profile["NET"], "none that the library can use")
    said = [
        f"{board.title}: {known['product']}, {known['vendor']}, {known['chip']}",
        f"tier {known['tier']}: {known['means']}",
        f"network: {network}; keys in {profile['STORE_ROOT']} ({profile['STORE']})",
    ]
    if known["flash"]:
        said.append("flash:")
    for part in known["flash"]:
        size = layout.size_text(part["size"])
        text = f"  {part['offset']:#08x}  {size:>9}  {part['name']:10}  {part['what']}"
        said.append(text.rstrip())
    said.append(f"updates over the air ({profile['OTA']}):")
    said += _paragraphs(known["updates"]["text"])
    said.append("tried:")
    said += _paragraphs(known["tried"])
    return "\n".join(said)


def _plain(text: str) -> str:
    return "\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _paragraphs(text: str) -> list[str]:
    return [
        textwrap.fill(part, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        for part in text.split("\n")
    ]
