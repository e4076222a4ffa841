"""An update from the upload to the application that is kept, on a simulated board: how long it
takes and what is done to the flash. Cloud and board are on one host, over UDP without losses.

    PYTHONPATH=tests .venv/bin/python -m bench.hand_off
"""

import os
import time
from pathlib import Path

from bench.figures import Figure
from bench.local import cloud
from e2e.desk import store
from e2e.updates import GOOD, KEY
from particle_tools.images import bundles, files, signing
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for
from particle_tools.sim.board_dir import BoardDir

_LIMIT = 60.0
_BYTES = 60_000
_SETTLED = 5  # seconds that an application has to stay connected (ota/trial.py)


def measure() -> list[Figure]:
    """Send two applications; the second one is measured, when the first one runs."""
    with cloud() as (folder, running):
        first, image = _images()
        place = folder / "board"
        board = _board(place, running)
        try:
            _kept(place, board, running, first, 1)
            seconds, programs, erases = _kept(place, board, running, image, 2)
        finally:
            board.kill()
    note = f"application of 60 kB in 8 files; {_SETTLED} s of it are the trial, connected"
    per = "of 1 kB at most; download, hand-off, trial and confirmation"
    return [
        Figure("ota_sent_to_confirmed_s", round(seconds, 1), "s", note),
        Figure("ota_flash_programs", programs, "", f"{per}; image of {len(image)} bytes"),
        Figure("ota_flash_erases", erases, "", "blocks of 4 KiB"),
    ]


def _images() -> list[bytes]:
    found = []
    for version in (1, 2):
        content = {"app.py": GOOD.replace("{version}", str(version)).encode()}
        for n in range(7):
            content[f"lib/part{n}.py"] = b"#" + os.urandom(_BYTES // 14).hex().encode()
        facts = bundles.Facts(
            board="UNIX_SIM",
            platform=3,
            product=3,
            version=version,
            floor=0,
            abi=6,
            client=0x10000,
        )
        found.append(files.pack(bundles.make(facts, content).signed(KEY)))
    return found


def _board(place: Path, running: LocalCloud) -> SimulatedBoard:
    SimulatedBoard(place, running, transport="udp").kill()
    store(place, "update.0.der", signing.der(KEY.public_key()))
    return SimulatedBoard(place, running, transport=None)


def _kept(
    place: Path, board: SimulatedBoard, running: LocalCloud, image: bytes, version: int
) -> tuple[float, int, int]:
    api = running.api()
    assert wait_for(lambda: api.device(board.device_id)["connected"], _LIMIT)
    counts = BoardDir(place).flash_counts
    _, programs, erases = counts()
    begin = time.monotonic()
    api.flash(board.device_id, image)
    text = f"update: version {version} is kept"
    assert wait_for(lambda: text in board.output(), _LIMIT), board.output()
    seconds = time.monotonic() - begin
    _, more, wiped = counts()
    return seconds, more - programs, wiped - erases


if __name__ == "__main__":
    for figure in measure():
        print(figure.key, figure.value, figure.note)
