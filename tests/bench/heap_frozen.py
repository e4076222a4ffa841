"""Smallest heap on the emulated Cortex-M3, by bisection, with the client frozen in."""

from collections.abc import Iterator
from pathlib import Path

from bench import heap, local
from bench.figures import Figure
from particle_tools.firmware import build, qemu
from particle_tools.local import LocalCloud
from silicon import cortex_m3
from silicon.m3_board import M3Board

_SECONDS = 30  # ten times and more of what it takes
_TRIES = 3
_PLENTY = 0  # the whole heap of the board
# key, transport, whether a session is resumed, whether only the core is there, goal in KiB
_TRIALS = (
    ("heap32_frozen_handshake", "udp", False, True, 36),
    ("heap32_frozen_steady", "udp", True, True, 22),
    ("heap32_frozen_everything_handshake", "udp", False, False, None),
    ("heap32_frozen_everything_steady", "udp", True, False, None),
    ("heap32_frozen_everything_tcp", "tcp", False, False, None),
)


def measure() -> Iterator[Figure]:
    """Find the smallest heaps one by one; none when no firmware can be built."""
    if not cortex_m3.available():
        return
    with local.cloud() as (folder, cloud):
        for number, (key, transport, resumed, core, goal) in enumerate(_TRIALS):
            trial = Trial(folder / key, cloud, f"{number:024x}", transport, resumed, core)
            how = "resumed session" if resumed else "handshake"
            what = "core" if core else "everything"
            note = f"{what}, {transport}, {how}, publish with ACK, function call; Cortex-M3"
            yield Figure(key, heap.smallest(trial), "KiB", note, goal)


class Trial:
    """One board that boots with heaps of different size.

    A board that ran out of memory may leave no session behind: where one is to be resumed, a boot
    with plenty of memory makes it first.
    """

    def __init__(
        self,
        folder: Path,
        cloud: LocalCloud,
        device_id: str,
        transport: str,
        resumed: bool,
        core: bool,
    ):
        self._elf = build.build("QEMU_M3", variables=("CORE=1",)).elf if core else None
        self._api = cloud.api()
        self._device_id = device_id
        self._board = M3Board(folder, cloud, device_id, transport)
        self._resumed = resumed
        self.output = ""

    def passes(self, kib: int) -> bool:
        """Tell whether the application completes with a heap of `kib` KiB."""
        if self._resumed and not self._completes(_PLENTY):
            raise RuntimeError(f"no session to resume:\n{self.output}")
        before = self._api.usage(self._device_id)["resumes"]
        if not self._completes(kib << 10):
            return False
        return not self._resumed or self._api.usage(self._device_id)["resumes"] > before

    def _completes(self, size: int) -> bool:
        # on a busy host time may run out: only a lack of memory is an answer
        for _ in range(_TRIES):
            if not self._resumed:
                self._board.forget_session()
            if self._boots(size):
                return True
            if "MemoryError" in self.output:
                break
        return False

    def _boots(self, size: int) -> bool:
        options = {"heap": size, "seconds": _SECONDS, "elf": self._elf}
        with local.caller(self._api, self._device_id, _SECONDS) as wrong:
            try:
                self.output = self._board.run(heap.APPLICATION, **options)
            except qemu.Failed as failed:
                self.output = str(failed)
        self.output += "".join(wrong)
        return "complete" in self.output.splitlines()
