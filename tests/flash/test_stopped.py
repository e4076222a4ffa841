"""Somebody presses ctrl-C: one line says what the board has, and what to do."""

import pytest

from flash.ram_chip import RamChip
from particle_tools.flash import uf2
from particle_tools.flash.dfu import Dfu

COMPLETE = "connect it again and repeat the command"


def stop(*_arguments, **_options):
    """Do as Python at ctrl-C; a process in the background may have no such signal."""
    raise KeyboardInterrupt


@pytest.fixture
def stopped(flash):
    """Give `stopped(*arguments)` -> the one line that was said."""

    def run(*arguments):
        status, report, err = flash(*arguments)
        assert (status, report) == (130, None)
        assert err.startswith("particle-mp flash: stopped, ") and err.count("\n") == 1
        return err.removeprefix("particle-mp flash: stopped, ").rstrip("\n")

    return run


@pytest.mark.parametrize(
    ("method", "more", "says"),
    [
        ("look", (), "nothing was written"),
        ("write", (), f"the board is not complete: {COMPLETE} with --erase"),
        ("write", ("--keep-files",), f"the board is not complete: {COMPLETE}"),
        (
            "verify",
            (),
            f"nobody knows whether the board is complete: {COMPLETE} with --erase",
        ),
    ],
)
def test_esp32(stopped, images, monkeypatch, method, more, says):
    monkeypatch.setattr("particle_tools.flash.esp32.Esptool", RamChip)
    monkeypatch.setattr(RamChip, "flash", bytearray(b"\xff" * (4 << 20)))
    monkeypatch.setattr(RamChip, method, stop)
    arguments = ("ESP32_GENERIC-OTA", "--port", "X", "--library", "none", "--firmware", images())
    assert stopped(*arguments, *more) == says


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("_look", "nothing was written"),
        ("_copy", "the board is not complete: connect it again as a drive and repeat the command"),
        ("_wait", "the board has not started: connect it again as a drive and repeat the command"),
    ],
)
def test_drive(stopped, monkeypatch, tmp_path, method, says):
    for name in ("_look", "_copy", "_wait"):
        monkeypatch.setattr(uf2.Uf2, name, stop if name == method else lambda _self: None)
    monkeypatch.setattr(uf2, "parse", lambda *_arguments: {0: b"MicroPython 1.27.0 on 2025-12-09"})
    image = tmp_path / "firmware.uf2"
    image.write_bytes(b"any")
    assert stopped("RPI_PICO_W", "--port", tmp_path, "--firmware", image) == says


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ("_look", "nothing was written"),
        (
            "_write",
            "the board is not complete: connect the board as a DFU device and repeat the command",
        ),
    ],
)
def test_dfu(stopped, monkeypatch, tmp_path, method, says):
    for name in ("_look", "_write"):
        monkeypatch.setattr(Dfu, name, stop if name == method else lambda _self: None)
    banner = b"MicroPython 1.27.0 on 2025-12-09"
    monkeypatch.setattr("particle_tools.flash.dfu.parse", lambda *_: [(0x08008000, banner)])
    image = tmp_path / "firmware.dfu"
    image.write_bytes(b"any")
    assert stopped("PYBD_SF6", "--port", "usb", "--firmware", image) == says
