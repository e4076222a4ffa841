"""Runs what was flashed: the unix port with the library, profile and keys of the image."""

import json
import os
import shutil
import subprocess

from particle_tools import ROOT, interpreter

LIMIT = 60  # seconds
_SIM = ROOT / "boards" / "UNIX_SIM" / "modules"
_HEAP = ("-X", "heapsize=16M")  # the flash is in it
_START = ROOT / "tests" / "flash" / "esp32_start"


def run(folder, program, *, mac, vfs, romfs=None, air=()):
    """Boot into `program` and return the JSON values that it printed, line by line.

    mac: of the chip. vfs, romfs: what is in these partitions. air: Wi-Fi networks (network.py).
    """
    board, modules = folder / "board", folder / "modules"
    for path in (board / "ram", modules):
        path.mkdir(parents=True, exist_ok=True)
    for path in _SIM.glob("*.py"):
        if path.name != "particle_board.py":  # the image has its own
            shutil.copy(path, modules)
    (board / "board.json").write_text(json.dumps({"unique_id": mac.hex()}))
    (board / "radio.json").write_text(json.dumps({"networks": list(air)}))
    (board / "program.py").write_text(program)
    (board / "vfs.bin").write_bytes(vfs)
    if romfs:
        (board / "romfs.bin").write_bytes(romfs)
    reading, control = os.pipe()
    environment = {
        **os.environ,
        "MICROPYPATH": f"{_START}:{modules}:.frozen",
        "SIM_DIR": str(board),
        "SIM_MODULES": str(modules),
        "SIM_CONTROL": str(control),
        "SIM_CAUSE": "1",
        "SIM_WAKE": "0",
        "SIM_SCALE": "1",
    }
    try:
        done = subprocess.run(
            [*interpreter.find(), *_HEAP, "-c", "import esp32_start"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            pass_fds=(control,),
            timeout=LIMIT,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(control)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in said, said
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "["))]
