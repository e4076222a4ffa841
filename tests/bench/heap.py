"""Smallest heap on a 32-bit MicroPython, by bisection, with the client loaded from .mpy files."""

import os
import subprocess
import tempfile
import threading
from pathlib import Path

from bench.figures import Figure
from particle_tools import packing
from particle_tools.local import Api, LocalCloud
from particle_tools.sim import first_start, image
from particle_tools.sim.board_dir import BoardDir
from silicon import debian32

APPLICATION = Path(__file__).with_name("heap_app.py")
_BOARD = 'NAME = "BENCH"\nPLATFORM_ID = 3\nNET = "host"\nTRANSPORT = "tcp"\nSTORE_ROOT = "pt"\n'
_FILES = ("config.json", "device.rsa.der", "server.rsa.der")
_LOWEST, _HIGHEST = 16, 256  # KiB
_RUNS = 3  # all of them must pass at the size that is reported
_SECONDS = 12
_DONE = "connect, publish with ACK, function call; TCP, MicroPython 1.25"
# key, what is installed, goal in KiB
_INSTALLED = (
    ("heap32_mpy_steady", ["core-tcp", "host"], 72),
    ("heap32_mpy_everything", ["core-tcp", "host", "repl"], None),
)
_DEVICE = "aa" * 12


def measure() -> list[Figure]:
    """Find the smallest heap; an empty list when the 32-bit interpreter was not fetched."""
    argv = debian32.find()
    if argv is None:
        return []
    figures = []
    with tempfile.TemporaryDirectory(prefix="particle-bench-") as folder:
        cloud = LocalCloud(Path(folder))
        try:
            for key, components, goal in _INSTALLED:
                trial = Trial(argv, Path(folder) / key, cloud, components)
                text = f"{_DONE}; {' '.join(components)}"
                figures.append(Figure(key, smallest(trial), "KiB", text, goal))
        finally:
            cloud.stop()
    return figures


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

    def __init__(self, argv: list[str], folder: Path, cloud: LocalCloud, components: list[str]):
        self._argv = argv
        self._folder = folder
        self._api: Api = cloud.api()
        self.output = ""
        provision(self._folder, cloud)
        packing.install(self._folder / "lib", components)
        (self._folder / "particle_board.py").write_text(_BOARD)
        (self._folder / "app.mpy").write_bytes(packing.compile_module(APPLICATION))

    def passes(self, kib: int) -> bool:
        """Tell whether the application completes with a heap of `kib` KiB."""
        events = self._api.events()
        caller = threading.Thread(target=self._call, args=(events,), daemon=True)
        caller.start()
        try:
            done = subprocess.run(
                [*self._argv, "-X", f"heapsize={kib}K", "-c", "import app"],
                cwd=self._folder,
                env=os.environ | {"MICROPYPATH": "lib:.:.frozen"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
            self.output = done.stdout
        except subprocess.TimeoutExpired as expired:
            self.output = (expired.stdout or b"").decode() + "timeout"
        finally:
            events.close()
            caller.join(_SECONDS)
        return self.output.rstrip().endswith("complete")

    def _call(self, events) -> None:
        try:
            events.wait("heap/ready", _SECONDS)
            self._api.call(_DEVICE, "answer", "x")
        except Exception as error:
            self.output += str(error)


def provision(folder: Path, cloud: LocalCloud) -> None:
    """Put the store of a registered device into `folder`/pt."""
    board = BoardDir(folder)
    lock = board.lock()
    first_start.make(board, _DEVICE, "tcp", cloud=cloud.url, user=cloud.user, server=None)
    os.close(lock)
    (folder / "pt").mkdir()
    for name in _FILES:
        (folder / "pt" / name).write_bytes(image.read(board.flash, f"/pt/{name}"))
