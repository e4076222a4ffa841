"""What firmware of a board does before anything else, with MicroPython and its littlefs."""

import json
import subprocess

import device_suite
from particle_tools import ROOT, interpreter
from particle_tools.boards import catalogue

_LOOK = """
import json, sys
for folders in %r:
    sys.path[:0] = folders
    import particle_board
    names = [name for name in dir(particle_board) if name == name.upper() and name[0] != "_"]
    print(json.dumps({name: getattr(particle_board, name) for name in names}))
    del sys.path[: len(folders)]
    for name in ("particle_board", "particle_variant"):
        sys.modules.pop(name, None)
"""


def test_files_of_boards():
    device_suite.run(
        interpreter.find(),
        "tests/boards/files_of_boards.py",
        first=str(ROOT / "firmware/ports/common"),
    )


def test_profiles_say_on_a_board_what_the_host_reads():
    boards = [board for board in catalogue.every() if board.name != "UNIX_SIM"]
    folders = [
        [str(board.folder / name) for name in ("modules", f"variant_{board.variant}".lower())]
        for board in boards
    ]
    done = subprocess.run(
        [*interpreter.find(), "-c", _LOOK % folders],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said == [json.loads(json.dumps(board.profile)) for board in boards]
