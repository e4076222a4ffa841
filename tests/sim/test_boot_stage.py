"""The boot stage on a simulated board: what runs, and what does not although it lies about."""

import hashlib

import pytest

from particle.ota.bootrecord import BootRecord
from particle_tools.sim import image
from particle_tools.sim.interpreter_process import BOOT, MODULES
from sim.test_serial import Port
from slot_files import manifest, record

APP = "import sys\nprint('application', {n}, sys.path)\n"


def slot(name, version, source, **files):
    """Return the files of a slot."""
    content = {"app.py": source.encode()} | {k: v.encode() for k, v in files.items()}
    found = {f"/pt/{name}/{k}": v for k, v in content.items()}
    return found | {f"/pt/{name}/manifest": manifest(version, content)}


def board(bench, **slots):
    """Return a board with these applications."""
    made = bench.board()
    files = {}
    for name, (version, source) in slots.items():
        files |= slot(name, version, source)
        files["/pt/boot.rec"] = record(version, files[f"/pt/{name}/manifest"])
    image.write(made.flash, files)
    return made


def test_the_application_sees_what_is_frozen_first(bench):
    source = "import sys\nprint(sys.path)\nimport hashlib, particle\nprint('particle', particle)\n"
    made = board(bench, a=(1, source))
    stray = "print('stray file')\nraise SystemExit\n"
    names = ("boot", "particle", "hashlib", "app", "particle_boot", "particle_board")
    image.write(made.flash, {f"/{name}.py": stray.encode() for name in names[1:]})
    image.write(made.flash, {f"/lib/{name}.py": stray.encode() for name in names[1:]})
    status, lines = bench.run(made)
    assert status == 0
    assert lines[0] == ("['/sim', '.frozen', '/rom', '/boot', '/flash/pt/a', '/flash/pt/a/lib']")
    assert "stray file" not in lines


# what is built in, what is frozen, and what a board runs where nothing of ours is frozen
BUILT_IN = """array asyncio binascii builtins cmath collections cryptolib deflate errno gc hashlib
heapq io json machine math micropython network os platform random re select socket ssl struct sys
time tls uctypes vfs websocket""".split()
OURS = [path.stem for folder in (MODULES, BOOT) for path in folder.glob("*.py")]
STRAY = sorted({*BUILT_IN, *OURS, "particle", "app", "boot", "main"})


def scatter(board, names=STRAY):
    """Put a file of each name where a board looks for modules, and into its folder."""
    for name in names:
        (board.path / f"{name}.py").write_text("print('stray')\n")
    for place in ("", "/lib"):
        files = {f"{place}/{name}.py": b"print('stray: %s')" % name.encode() for name in names}
        image.write(board.flash, files)


NEEDS = "import sys\nprint(sys.path)\nimport json, machine, network, os, particle, struct, time\n"


def test_stray_files_beside_an_application(bench):
    made = board(bench, a=(1, NEEDS))
    scatter(made)
    status, lines = bench.run(made)
    assert status == 0
    assert lines == ["['/sim', '.frozen', '/rom', '/boot', '/flash/pt/a', '/flash/pt/a/lib']"]


def test_stray_files_when_the_record_is_lost(bench):
    made = bench.board()
    image.write(made.flash, slot("a", 1, NEEDS))
    scatter(made)
    _, lines = bench.run(made)
    # its signature is none; that is the stage's word, not a stray file's
    assert lines[0].startswith("boot: /flash/pt/a cannot run:")
    assert not any("stray" in line for line in lines)


def test_stray_files_on_a_board_without_slots(bench):
    made = bench.board({"/pt/config.json": "{}"})
    # main.py is its application there
    scatter(made, [name for name in STRAY if name != "main"])
    sim = bench.start(made)
    # without keys what is frozen cannot connect
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert not any("stray" in line for line in sim.lines)


def test_stray_files_at_the_prompt(bench):
    made = board(bench, a=(1, "print('application')\n"))
    scatter(made)
    port = Port(bench.start(made, None, "--pty"))
    try:
        assert b"stray" not in port.expect(b">>> ")
        port.type(b"import sys; print(sys.path[0])\r")
        assert port.expect(b">>> ").endswith(b"\r\n/sim\r\n>>> ")
    finally:
        port.hang_up()


def test_a_confirmed_application_that_fails_again_and_again(bench):
    made = board(bench, a=(1, "print('begin')\nraise ValueError('on purpose')\n"))
    sim = bench.start(made)
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert sim.lines.count("begin") == 8
    # there are no keys: nothing to serve, and no loop of resets either
    assert any(line.startswith("no safe mode: ") for line in sim.lines), sim.lines[-4:]
    # another power-on gives it one more chance, not eight
    _, lines = bench.run(made)
    assert lines.count("begin") == 1
    assert "boot: the application has failed 8 times" in lines


def test_an_application_that_ends_at_once_again_and_again(bench):
    sim = bench.start(board(bench, a=(1, "print('begin')\nraise SystemExit\n")))
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert sim.lines.count("begin") == 8


def test_a_frozen_application_that_fails_on_a_board_that_has_stored_nothing(bench):
    sim = bench.start(bench.board())
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert sum("no server: particle.server(host)" in line for line in sim.lines) == 9
    assert not any("cannot write" in line for line in sim.lines)


def test_a_hanging_application_that_was_confirmed_is_not_watched(bench):
    made = board(bench, a=(1, "import machine\nprint(machine.reset_cause())\n"))
    assert bench.run(made) == (0, ["1"])


def test_bites_of_the_watchdog_count_as_failures(bench):
    source = "import machine\nprint('begin')\nmachine.WDT(timeout=20)\nwhile True:\n    pass\n"
    made = board(bench, a=(1, source))
    sim = bench.start(made)
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert sim.lines.count("begin") == 8


def test_a_hanging_application_on_a_board_that_is_always_watched(bench):
    made = board(bench, a=(1, "print('begin')\nwhile True:\n    pass\n"))
    (made.path / "wdt").write_text("300")
    sim = bench.start(made)
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    # on a busy machine it may be bitten before it says anything
    assert sim.lines.count("begin") <= 8


def tried(bench, folder, source):
    """Return a board that has kept one application and tries another one."""
    made = bench.board()
    files = slot("a", 1, "print('old')\n") | slot("b", 2, source)
    (folder / "boot.rec").write_bytes(record(1, files["/pt/a/manifest"]))
    digest = hashlib.sha256(files["/pt/b/manifest"]).digest()
    BootRecord(str(folder)).hand_off(1, 2, digest)
    image.write(made.flash, files | {"/pt/boot.rec": (folder / "boot.rec").read_bytes()})
    return made


@pytest.mark.parametrize("wdt", ["0", "60000"])
def test_an_application_that_ends_while_it_is_tried(bench, tmp_path, wdt):
    made = tried(bench, tmp_path, "print('new')\n")
    (made.path / "wdt").write_text(wdt)
    _, lines = bench.run(made)
    # after a rollback signatures count, and that of the old one is none
    assert lines.count("new") == 3 and "old" not in lines
    assert "boot: /flash/pt/a cannot run:" in "\n".join(lines)


def test_an_application_that_is_served_in_the_background_while_it_is_tried(bench, tmp_path):
    source = "import particle_boot\nclass Client:\n    _timer = True\n"
    made = tried(bench, tmp_path, source + "particle_boot.client = Client\nprint('new')\n")
    (made.path / "wdt").write_text("0")
    assert bench.run(made) == (0, ["new"])


def test_an_application_that_resets_itself_again_and_again(bench):
    made = board(bench, a=(1, "import machine\nprint('begin')\nmachine.reset()\n"))
    sim = bench.start(made)
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    # the first one after the power came may have been meant
    assert sim.lines.count("begin") == 9
    sim = bench.start(made)
    sim.wait_for("boot: the application has failed 8 times")
    sim.wait()
    assert sim.lines.count("begin") == 2


def test_what_sleeps_deeply_is_no_failure(bench):
    source = "import machine, os\nprint('begin')\nnames = os.listdir('/flash')\n"
    source += "open('/flash/%d' % len(names), 'w').close()\n"
    source += "if len(names) < 13:\n    machine.deepsleep(1)\n"
    made = board(bench, a=(1, source))
    status, lines = bench.run(made)
    assert status == 0 and lines.count("begin") > 9 and len(set(lines)) == 1


DAYS = """
import machine
day = machine.RTC().datetime()[2] if machine.reset_cause() != 1 else 0
print('day', day)
if day == 7:
    # as many bytes as before: a usual boot of the same day does not see it
    with open('/flash/pt/a/other.py') as f:
        changed = f.read() == 'x = 1'
    if not changed:
        with open('/flash/pt/a/other.py', 'w') as f:
            f.write('x = 1')
    else:
        day = 8
if day < 9:
    machine.RTC().datetime((2030, 1, max(day, 7), 0, 12, 0, 0, 0))
    machine.reset()
"""


def test_files_are_read_once_a_day(bench):
    made = bench.board()
    files = slot("a", 1, DAYS, **{"other.py": "y = 1"})
    files["/pt/boot.rec"] = record(1, files["/pt/a/manifest"])
    image.write(made.flash, files)
    _, lines = bench.run(made)
    assert lines[:4] == ["day 0", "day 7", "day 7", "boot: there is no application that can run"]


def test_files_are_read_after_power_on(bench):
    made = board(bench, a=(1, "print('begin')\n"))
    assert bench.run(made) == (0, ["begin"])
    image.write(made.flash, {"/pt/a/app.py": b"print('BEGIN')\n"})
    _, lines = bench.run(made)
    assert lines[0] == "boot: there is no application that can run"


def test_nothing_that_can_run_is_safe_mode(bench):
    made = board(bench, a=(1, "print('begin')\n"))
    assert bench.run(made) == (0, ["begin"])
    image.write(made.flash, {"/pt/a/app.py": b"print('evil!')"})
    status, lines = bench.run(made)
    assert lines[0] == "boot: there is no application that can run"
    assert "begin" not in lines and "evil!" not in lines


def test_soft_reset_of_an_application(bench):
    source = "import machine, os\nprint('begin')\n"
    source += "if 'once' not in os.listdir('/flash'):\n    open('/flash/once', 'w').close()\n"
    source += "    machine.soft_reset()\n"
    made = board(bench, a=(1, source))
    assert bench.run(made) == (0, ["begin", "begin"])
