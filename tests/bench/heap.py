"""Smallest heap on a 32-bit MicroPython, by bisection, with the client loaded from .mpy files."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import local
from bench.figures import Figure
from particle_tools import packing
from particle_tools.local import Api, LocalCloud
from particle_tools.sim import first_start, image
from particle_tools.sim.board_dir import BoardDir
from silicon import debian32

APPLICATION = Path(__file__).with_name("heap_app.py")
_BOARD = 'NAME = "BENCH"\nPLATFORM_ID = 3\nNET = "host"\nTRANSPORT = "%s"\nSTORE_ROOT = "pt"\n'
_FILES = {
    "tcp": ("config.json", "device.rsa.der", "server.rsa.der"),
    "udp": ("config.json", "device.ec.der", "server.ec.der"),
}
_LOWEST, _HIGHEST = 16, 256  # KiB
_RUNS = 3  # all of them must pass at the size that is reported
_SECONDS = 12
_DONE = "publish with ACK, function call; MicroPython 1.25"
# key, transport, whether a session is resumed, what is installed, goal in KiB
_INSTALLED = (
    ("heap32_mpy_steady", "udp", True, ["core-udp", "host"], 72),
    ("heap32_mpy_handshake", "udp", False, ["core-udp", "host"], None),
    ("heap32_mpy_everything", "udp", False, ["core-udp", "host", "repl"], None),
    ("heap32_mpy_tcp", "tcp", False, ["core-tcp", "host"], None),
)


def measure() -> Iterator[Figure]:
    """Find the smallest heaps one by one; none when the 32-bit interpreter was not fetched."""
    argv = debian32.find()
    if argv is None:
        return
    with local.cloud() as (folder, cloud):
        for number, (key, transport, resumed, components, goal) in enumerate(_INSTALLED):
            trial = Trial(argv, folder / key, cloud, f"{number:024x}", transport, components)
            if resumed:  # the session of a first run with plenty of memory is gone on with
                assert trial.passes(_HIGHEST), trial.output
                trial.keep_session()
            how = "resumed session" if resumed else "handshake"
            text = f"{transport}, {how}, {_DONE}; {' '.join(components)}"
            yield Figure(key, smallest(trial), "KiB", text, goal)


def smallest(trial: "Trial") -> int:
    """Return the smallest heap in KiB with which the trial passes, several times."""
    low, high = _LOWEST, _HIGHEST
    if not trial.passes(high):
        raise RuntimeError(f"fails with {high} KiB:\n{trial.output}")
    while high - low > 1:
        middle = (low + high) // 2
        if trial.passes(middle):
            high = middle
        else:
            low = middle
    while not all(trial.passes(high) for _ in range(_RUNS)):
        high += 1
    return high


class Trial:
    """One board on the host's file system that is started again and again."""

    def __init__(
        self,
        argv: list[str],
        folder: Path,
        cloud: LocalCloud,
        device_id: str,
        transport: str,
        components: list[str],
    ):
        self._argv = argv
        self._folder = folder
        self._device_id = device_id
        self._api: Api = cloud.api()
        self._sessions_kept = False
        self.output = ""
        self._files = provision(self._folder, cloud, device_id, transport)
        packing.install(self._folder / "lib", components)
        (self._folder / "particle_board.py").write_text(_BOARD % transport)
        (self._folder / "app.mpy").write_bytes(packing.compile_module(APPLICATION))

    def keep_session(self) -> None:
        """Have the next runs go on with the session of the last one."""
        self._sessions_kept = True

    def passes(self, kib: int) -> bool:
        """Tell whether the application completes with a heap of `kib` KiB."""
        if not self._sessions_kept:
            shutil.rmtree(self._folder / "pt", ignore_errors=True)
            (self._folder / "pt").mkdir()
            for name, data in self._files.items():
                (self._folder / "pt" / name).write_bytes(data)
        with local.caller(self._api, self._device_id, _SECONDS) as wrong:
            self.output = self._run(kib)
        self.output += "".join(wrong)
        return self.output.rstrip().endswith("complete")

    def _run(self, kib: int) -> str:
        try:
            return subprocess.run(
                [*self._argv, "-X", f"heapsize={kib}K", "-c", "import app"],
                cwd=self._folder,
                env=os.environ | {"MICROPYPATH": "lib:.:.frozen"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_SECONDS,
                check=False,
            ).stdout
        except subprocess.TimeoutExpired as expired:
            return (expired.stdout or b"").decode() + "timeout"


def provision(folder: Path, cloud: LocalCloud, device_id: str, transport: str) -> dict[str, bytes]:
    """Return the files of the store of a registered device."""
    board = BoardDir(folder)
    lock = board.lock()
    first_start.make(board, device_id, transport, cloud=cloud.url, user=cloud.user, server=None)
    os.close(lock)
    return {name: image.read(board.flash, f"/pt/{name}") for name in _FILES[transport]}
