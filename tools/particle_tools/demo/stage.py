"""What the steps of the demo share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from particle_tools.errors import UserError
from particle_tools.local import Events, LocalCloud, SimulatedBoard

APPLICATION = Path(__file__).with_name("application.py")


@dataclass
class Stage:
    """What the steps share: the folder and the running processes."""

    folder: Path
    running: list[Any] = field(default_factory=list)
    cloud: LocalCloud = None  # type: ignore[assignment]
    board: SimulatedBoard = None  # type: ignore[assignment]
    events: Events = None  # type: ignore[assignment]
    api: Any = None

    def boot(self) -> None:
        """Switch the board on; the first time it is provisioned."""
        self.board = SimulatedBoard(
            self.folder / "board", self.cloud, script=APPLICATION, transport="udp"
        )
        self.running.append(self.board)

    def close(self) -> None:
        """Stop everything that was started."""
        if self.events:
            self.events.close()
        for child in reversed(self.running):
            child.stop()


@dataclass
class Told:
    """What a step proved: one sentence and its numbers."""

    text: str
    facts: dict[str, Any]


def check(condition: Any, problem: str) -> None:
    """Raise UserError when a step did not prove what it says."""
    if not condition:
        raise UserError(problem)
