"""`particle-mp firmware`: one line for each thing that is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from particle_tools import ROOT, cache
from particle_tools.firmware import qemu


def firmware(*arguments, path=""):
    """Run the verb with `path` as PATH and return (exit status, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "particle_tools", "firmware", *arguments],
        cwd=ROOT,
        env=os.environ | {"PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_unknown_board():
    status, said = firmware("build", "TOASTER")
    assert (status, said.count("\n")) == (1, 1)
    assert "TOASTER: no firmware for this board, choose QEMU_M3" in said


def test_missing_tools(tmp_path):
    status, said = firmware("build", "QEMU_M3", path=str(tmp_path))
    assert (status, said.count("\n")) == (1, 1)
    assert "apt-get install gcc-arm-none-eabi make" in said


def tools(folder: Path) -> str:
    """Make tools that only exist and return a PATH of them."""
    for name in ("arm-none-eabi-gcc", "make"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("there", [(), ("py/mkrules.mk", "lib/mbedtls/README.md")])
def test_not_a_source_tree(tmp_path, there):
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    arguments = ("build", "QEMU_M3", "--micropython", str(tmp_path))
    status, said = firmware(*arguments, path=tools(tmp_path))
    assert (status, said.count("\n")) == (1, 1)
    wrong = "lib/mbedtls is empty" if there else "not a MicroPython source tree"
    assert f"--micropython {tmp_path}: {wrong}" in said


def test_memory_keeps_the_flash(tmp_path):
    psram = tmp_path / "psram"
    qemu.prepare(psram, {"main.py": b"pass\n"}, 0, bytes(32))
    with psram.open("r+b") as file:
        file.seek(qemu.FLASH_AT)
        file.write(b"kept")
    qemu.prepare(psram, {"a/b.py": b"x", "a/c/d.py": b"y"}, 65536, b"s" * 32)
    data = psram.read_bytes()
    assert len(data) == 16 << 20
    assert data[:40] == b"PT30\x00\x00\x01\x00" + b"s" * 32
    assert data[qemu.ROM_AT :][:3] == b"\xd2\xcd\x31"
    assert data[qemu.FLASH_AT :][:4] == b"kept"


def test_too_many_files(tmp_path):
    with pytest.raises(ValueError):
        qemu.prepare(tmp_path / "psram", {"x": bytes(qemu.FLASH_AT)}, 0, bytes(32))


def test_old_objects_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for age, name in enumerate(("new", "older", "old", "used")):
        with cache.locked(f"objects/board-{name}") as work:
            (work / "file").touch()
        os.utime(work, (1000 - age, 1000 - age))
    (work.parent / "other-board").mkdir()
    with cache.locked("objects/board-used"):
        os.utime(work, (1, 1))
        cache.prune("objects/board-", 2)
    left = {path.name for path in work.parent.iterdir() if path.is_dir()}
    assert left == {"board-new", "board-older", "board-used", "other-board"}
