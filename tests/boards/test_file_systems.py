"""What the firmware of a board does before anything else, with MicroPython and its littlefs."""

import device_suite
from particle_tools import ROOT, interpreter


def test_files_of_boards():
    device_suite.run(
        interpreter.find(),
        "tests/boards/files_of_boards.py",
        first=str(ROOT / "firmware/ports/common"),
    )
