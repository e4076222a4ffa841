"""What is done to a board, one step after the other; a dry run prints the same steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from particle_tools.boards.catalogue import Board
from particle_tools.flash.identity import Identity


@dataclass(frozen=True)
class Step:
    """One thing that is done.

    command: of another program, as somebody could type it. stopped: what is to be said when
    somebody ends it early.
    """

    name: str
    text: str
    run: Callable[[], None]
    command: list[str] | None = None
    stopped: str = "nothing was written"

    def to_json(self) -> dict[str, Any]:
        """Return what may be shown."""
        found: dict[str, Any] = {"step": self.name, "text": self.text}
        if self.command:
            found["command"] = self.command
        return found


@dataclass(frozen=True)
class Wishes:
    """What was asked for.

    port: serial port, drive or USB device. baud: None: what suits. library: "littlefs", "romfs",
    "none"; None: where it belongs. extra: components besides those that provisioning needs.
    identity: None leaves keys and configuration to `particle-mp provision`. show: told what is
    being done.
    """

    board: Board
    port: str | None = None
    firmware: Path | None = None
    baud: int | None = None
    reset: bool = True
    erase: bool = False
    keep_files: bool = False
    library: str | None = None
    extra: list[str] = field(default_factory=list)
    identity: Identity | None = None
    show: Callable[[str], None] = lambda _text: None

    @property
    def where(self) -> str:
        """Return the port for people, also when there is none yet."""
        return self.port or "PORT"

    @property
    def file(self) -> str:
        """Return the file of the firmware for people, also when there is none yet."""
        return str(self.firmware or "FILE")
