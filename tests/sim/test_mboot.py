"""The simulated STM32: registers, what mboot starts, writes, refuses, and power cuts meanwhile.

mboot itself: tests/ota/test_mboot.py and tests/mboot_cuts.py; the hook in it: test_mboot_hook.py.
"""

import json
import struct
import subprocess
import sys

import pytest

import fake_mboot
from fake_mboot import FAILED, ORDER, PROGRAM, ROLLED_BACK, order
from particle_tools.errors import UserError
from particle_tools.sim import image, stm32

_PROGRAM = """
import json, machine
import particle_board
order = particle_board.MBOOT[3]
try:
    from extra import TEXT
except ImportError:
    TEXT = None
print(json.dumps([particle_board.OTA, TEXT, machine.mem32[order], machine.mem32[order + 4]]))
"""


_REPAIRED = (
    _PROGRAM
    + f"""
if machine.mem32[{ORDER}]:
    machine.mem32[{ORDER}] = 0
    machine.reset()  # as a stage does: it stops the watchdog
"""
)


def firmware(tmp_path, text):
    """Return a packed firmware with the module `extra`."""
    folder = tmp_path / "frozen"
    folder.mkdir(exist_ok=True)
    (folder / "extra.py").write_text(f"TEXT = {text!r}\n" + "A = 'content'\n" * 200)
    return stm32.firmware(folder)


@pytest.fixture
def made(bench, tmp_path):
    """A board with a firmware, which is stored on it."""
    found = bench.board()
    stock = firmware(tmp_path, "stock")
    stm32.make(found, stock)
    stm32.stock(found, stock)
    return found


def told(lines):
    """Return what the program printed in each boot."""
    return [json.loads(line) for line in lines if line.startswith("[")]


def test_a_packed_firmware_is_what_the_other_tests_have():
    content = fake_mboot.firmware(3)
    assert stm32.packed(content) == fake_mboot.dfu(content)


def test_a_firmware_that_does_not_fit(tmp_path):
    (tmp_path / "large.bin").write_bytes(bytes(stm32.BYTES))
    with pytest.raises(UserError, match="there is room for 262144"):
        stm32.firmware(tmp_path)


def test_registers_outlast_a_reset_and_not_the_power(bench, made):
    program = (
        _PROGRAM
        + "if machine.reset_cause() == 1:\n"
        + "    machine.mem32[order + 4] = -3\n    machine.reset()\n"
        + "try:\n    machine.mem32[order + 8]\nexcept ValueError as e:\n    print(e)\n"
    )
    for _ in range(2):
        status, lines = bench.run(made, program)
        assert status == 0
        assert told(lines) == [["mboot", "stock", 0, 0], ["mboot", "stock", 0, 0xFFFFFFFD]]
        assert lines[-1] == "there is no register at 0x40002868"


def in_order(tried):
    """Tell whether these are starts that are tried; on a slow host some may have said nothing."""
    allowed = iter([["mboot", "new", order(2, n), 0] for n in (2, 1, 0)])
    return all(each in allowed for each in tried)


def ask(state):
    """Return a program that orders something of mboot and resets, once."""
    return (
        _PROGRAM
        + f"if not machine.mem32[{ORDER}]:\n"
        + f"    machine.mem32[{ORDER + 4}] = 1\n"
        + f"    machine.mem32[{ORDER}] = {order(state, 3)}\n"
        + "    machine.reset()\n"
    )


def test_what_is_ordered_is_written_and_started(bench, made, tmp_path):
    image.write(made.flash, {"/pt/fw.run/firmware.pack.dfu": firmware(tmp_path, "new")})
    # the watchdog that the hook has started ends each of its starts, confirmed or not
    program = ask(PROGRAM) + f"if TEXT == 'new':\n    machine.mem32[{ORDER}] = 0\n"
    program = program.replace("if not machine", "if TEXT == 'stock' and not machine")
    status, lines = bench.run(made, program, "--time-scale", "50")
    assert status == 0
    first, *tried, last = told(lines)
    assert first == ["mboot", "stock", 0, 0] and last == ["mboot", "new", 0, 0]
    assert in_order(tried)


def test_what_is_damaged_is_refused(bench, made, tmp_path):
    bad = bytearray(firmware(tmp_path, "new"))
    bad[700] ^= 1
    image.write(made.flash, {"/pt/fw.run/firmware.pack.dfu": bytes(bad)})
    before = (made.path / "stm32.img").read_bytes()
    status, lines = bench.run(made, ask(PROGRAM))
    assert status == 0
    # the status of a wrong CRC, -215, is overwritten by nobody
    assert told(lines)[1] == ["mboot", "stock", order(FAILED, 0), 2**32 - 215]
    assert (made.path / "stm32.img").read_bytes() == before


def test_what_hangs_before_the_boot_stage_is_reset(bench, made, tmp_path):
    """Nothing of it feeds the watchdog that the hook has started: the old one is written back."""
    name = "/pt/fw.%s/firmware.pack.dfu"
    files = {name % "old": firmware(tmp_path, "stock"), name % "run": firmware(tmp_path, "new")}
    image.write(made.flash, files)
    program = ask(PROGRAM) + "while TEXT == 'new':\n    pass\n"
    status, lines = bench.run(made, program, "--time-scale", "50")
    assert status == 0
    first, *tried, last = told(lines)
    assert first == ["mboot", "stock", 0, 0]
    assert last == ["mboot", "stock", order(ROLLED_BACK, 0), 0]
    assert in_order(tried)


def test_a_power_cut_while_mboot_writes(bench, made):
    flash = made.path / "stm32.img"
    whole = flash.read_bytes()
    cuts = 0
    status = 80
    while status == 80:
        cuts += 1
        # nothing there but what was stored: mboot writes it, as after a cut before this one
        flash.write_bytes(b"\xff" * len(whole))
        status, _ = bench.run(made, _REPAIRED, "--cut", str(cuts))
        if status == 80:
            status, lines = bench.run(made, _REPAIRED)
            assert status == 0 and told(lines)[-1] == ["mboot", "stock", 0, 0], cuts
            status = 80
        assert flash.read_bytes() == whole
    assert status == 0 and cuts > 4


def test_without_any_application_the_board_waits_for_a_cable(bench, made):
    (made.path / "stm32.img").write_bytes(b"\xff" * stm32.BYTES)
    image.write(made.flash, {"/pt/fw.run/firmware.pack.dfu": b"nothing"})
    status, lines = bench.run(made, _PROGRAM)
    assert status == 1 and lines[-1].startswith("mboot: there is no application")


def test_a_board_is_an_stm32_from_its_first_start(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    folder = tmp_path / "board"
    argv = [sys.executable, "-m", "particle_tools", "sim", "--data", str(folder)]
    for words in (["--blank", "--mboot"], ["--mboot"], []):
        done = subprocess.run(
            [*argv, *words, "--script", str(program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout) == ["mboot", None, 0, 0], done.stderr
    stored = image.read(folder / "flash.img", "/pt/fw.run/firmware.pack.dfu")
    assert stored == stm32.firmware(None)
    assert struct.unpack_from("<II", (folder / "stm32.img").read_bytes()) == (
        0x20020000,
        0x08008201,
    )
