"""A dry run prints what would be done and does nothing; the same steps are what is done."""

import json
import shlex
from pathlib import Path

import pytest

from particle_tools.boards import catalogue
from particle_tools.cli import main
from particle_tools.flash import esptool, uf2
from particle_tools.progress import bar

NAMES = [
    board.title for board in catalogue.every() if board.port in ("esp32", "rp2", "nrf", "stm32")
]


@pytest.fixture
def nothing_runs(monkeypatch):
    """Let every program fail that talks to a board."""

    def fail(*_arguments, **_options):
        raise AssertionError("a dry run has started something")

    monkeypatch.setattr("particle_tools.flash.esptool._talk", fail)
    monkeypatch.setattr("particle_tools.flash.dfu.Dfu._tool", fail)


@pytest.mark.parametrize("title", NAMES)
def test_every_board_has_steps(nothing_runs, capsys, title):
    """With neither board nor firmware, as in its deploy.md."""
    assert main(["flash", title, "--dry-run", "--library", "none"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith(f"{title}: --firmware FILE; nothing is done\n1. chip: ")
    assert "write: " in out


def test_commands_are_those_that_are_run(nothing_runs, capsys, images):
    """A person can type them: esptool gets every part at its address."""
    port = ("--port", "/dev/ttyACM3", "--baud", "115200", "--no-reset", "--erase")
    arguments = ["flash", "ESP32_GENERIC-OTA", "--dry-run", *port, "--firmware", str(images())]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ESP32_GENERIC-OTA: MicroPython 1.27.0; nothing is done"
    assert [line.split(":")[0] for line in lines[1:] if line[0] != " "] == [
        "1. chip",
        "2. files",
        "3. write",
        "4. verify",
    ]
    ask, write, verify = [shlex.split(line) for line in lines if line.startswith("   esptool")]
    assert ask[-1] == "flash-id"
    assert write[1:9] == "--chip esp32 --port /dev/ttyACM3 --baud 115200 --before no-reset".split()
    parts = "0x1000 bootloader.bin 0x8000 partition-table.bin 0xd000 otadata.bin 0x10000 ota_0.bin"
    assert write[-10:] == verify[-10:] == [*parts.split(), "0x310000", "vfs.bin"]


def test_image_for_many_boards(nothing_runs, capsys, images, tmp_path):
    """Its dry run speaks of a file, not of a port."""
    out = tmp_path / "all.bin"
    arguments = ["flash", "ESP32_GENERIC-OTA", "--dry-run", "--out", str(out)]
    assert main([*arguments, "--firmware", str(images())]) == 0
    said = capsys.readouterr().out
    _, text, command = said.splitlines()
    assert text.startswith(f"1. merge: make {out} of bootloader 0x1000 (") and "PORT" not in said
    assert shlex.split(command)[:6] == ["esptool", "--chip", "esp32", "merge-bin", "-o", str(out)]
    assert not out.exists()


def test_an_image_replaces_the_earlier_one_when_it_is_whole(monkeypatch, capsys, images, tmp_path):
    out = tmp_path / "all.bin"
    out.write_bytes(b"earlier")

    def merge(argv, folder):
        Path(folder, argv[argv.index("-o") + 1]).write_bytes(b"part")
        raise esptool._Failed("No space left on device")

    arguments = ["flash", "ESP32_GENERIC-OTA", "--out", str(out), "--firmware", str(images())]
    with monkeypatch.context() as changed:
        changed.setattr(esptool, "_talk", merge)
        assert main(arguments) == 1
    err = capsys.readouterr().err
    assert out.read_bytes() == b"earlier" and "No space left" in err and err.count("\n") == 1
    assert main(arguments) == 0
    made = out.read_bytes()
    assert made[:0x1000] == b"\xff" * 0x1000 and made[0x1000] == 0xE9  # the magic of an image


def test_keys_are_made_when_it_is_done(nothing_runs, capsys, images):
    """The cloud is not asked either, and no password is printed."""
    who = ["--cloud", "http://127.0.0.1:1", "--user", "me:secret", "--wifi", "Home:hidden key"]
    arguments = ["flash", "ESP32_GENERIC", "--dry-run", *who, "--firmware", str(images())]
    assert main([*arguments, "--json"]) == 0
    out = capsys.readouterr().out
    names = [step["step"] for step in json.loads(out)["steps"]]
    assert names == ["cloud", "chip", "files", "identity", "write", "verify", "register"]
    assert "secret" not in out and "hidden key" not in out


def test_copied_file_is_named(capsys):
    assert main(["flash", "RPI_PICO_W", "--dry-run", "--port", "/media/me/RPI-RP2"]) == 0
    assert f"copy FILE to /media/me/RPI-RP2/{uf2._NAME}" in capsys.readouterr().out


def test_bar():
    assert bar(0, 100) == "[------------------------]   0%"
    assert bar(50, 100) == "[############------------]  50%"
    assert bar(100, 100) == bar(101, 100) == bar(0, 0) == "[########################] 100%"
