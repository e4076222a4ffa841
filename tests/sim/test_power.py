"""Resets, sleep, watchdog and loss of power: what ends a boot, what the next one finds."""

import itertools
import json
import os
import signal
import threading
import time

import pytest

from particle_tools.errors import UserError
from particle_tools.local import wait_for
from particle_tools.sim import image
from sim.boards import LIMIT

_NOBODY = 2**22 + 1  # Linux gives no process such a number

_TELL = """
import machine, time
rtc = machine.RTC()
boots = len(rtc.memory())
print("boot", boots, "cause", machine.reset_cause(), "wake", machine.wake_reason())
rtc.memory(rtc.memory() + b"x")
"""


def _program(*ends):
    # boot k ends with ends[k]; what the application would catch must not be catchable
    text = _TELL
    for boot, end in enumerate(ends):
        text += f"if boots == {boot}:\n    try:\n        {end}\n    except:\n        pass\n"
        text += "    print('went on')\n"
    return text


@pytest.mark.parametrize(
    ("end", "cause", "wake"),
    [
        ("machine.reset()", 2, 0),
        ("machine.deepsleep(30)", 4, 4),
        ("machine.bootloader()", 2, 0),
        ("while machine.WDT(timeout=50) and True:\n            while True: pass", 3, 0),
    ],
)
def test_nothing_runs_after_the_end_of_a_boot(bench, end, cause, wake):
    status, lines = bench.run(bench.board(), _program(end))
    assert lines == ["boot 0 cause 1 wake 0", f"boot 1 cause {cause} wake {wake}"]
    assert status == 0


def test_soft_reset_is_a_system_exit(bench):
    program = _TELL + "if boots < 2:\n    try:\n        machine.soft_reset()\n    finally:\n"
    program += "        print('finally')\n"
    status, lines = bench.run(bench.board(), program)
    assert lines == [
        "boot 0 cause 1 wake 0",
        "finally",
        "boot 1 cause 5 wake 0",
        "finally",
        "boot 2 cause 5 wake 0",
    ]
    assert status == 0


def test_power_on_forgets_rtc_memory_and_clock(bench):
    board = bench.board()
    program = (
        _TELL
        + """
t = time.localtime()
print("year", t[0])
machine.RTC().datetime((2031, 5, 6, 0, 7, 8, 9, 0))
if boots == 0:
    machine.reset()
print(machine.RTC().datetime()[:7], time.localtime()[:6])
"""
    )
    for _ in range(2):
        _, lines = bench.run(board, program)
        assert lines == [
            "boot 0 cause 1 wake 0",
            "year 2000",
            "boot 1 cause 2 wake 0",
            "year 2031",
            "(2031, 5, 6, 1, 7, 8, 9) (2031, 5, 6, 7, 8, 9)",
        ]


def test_deep_sleep_lasts_as_long_as_asked(bench):
    board = bench.board()
    start = time.monotonic()
    _, lines = bench.run(board, _program("machine.deepsleep(700)"))
    assert time.monotonic() - start > 0.7
    assert len(lines) == 2
    assert (board.path / "wake").read_text() == "700"


def test_deep_sleep_ends_by_a_pin(bench):
    board = bench.board()
    radio = board.path / "radio.json"
    radio.write_text(json.dumps({"pins": {"4": 1}}))
    arm = "machine.Pin(4).irq(None, machine.Pin.IRQ_FALLING, wake=machine.DEEPSLEEP)"
    sim = bench.start(board, _program(f"{arm}; machine.deepsleep()"))
    sim.wait_for("boot 0")
    assert wait_for(lambda: (board.path / "wake").exists(), LIMIT)
    assert len(sim.lines) == 1
    # again and again: nobody can see when it has fallen asleep and begins to look at the pin
    levels = itertools.cycle((0, 1))

    def wakes():
        radio.write_text(json.dumps({"pins": {"4": next(levels)}}))
        time.sleep(0.2)
        return sim.process.poll() is not None

    assert wait_for(wakes, LIMIT)
    assert sim.wait() == 0
    assert sim.lines[1] == "boot 1 cause 4 wake 2"


def test_watchdog_is_fed_bites_at_the_prompt_and_is_off_in_deep_sleep(bench):
    program = (
        _TELL
        + """
if boots < 3:
    # long where it shall not bite, whatever else this host does
    w = machine.WDT(timeout=(4000, 500, 20000)[boots])
if boots == 0:
    for _ in range(10):
        time.sleep_ms(50)
        w.feed()
    print("alive")
    while True:
        pass
if boots == 2:
    machine.deepsleep(500)
"""
    )
    status, lines = bench.run(bench.board(), program)
    causes = [line.split(" wake")[0] for line in lines]
    assert causes == [
        "boot 0 cause 1",
        "alive",
        "boot 1 cause 3",
        "boot 2 cause 3",
        "boot 3 cause 4",
    ]
    assert status == 0


def test_exception_is_a_traceback_and_status_1(bench):
    status, lines = bench.run(bench.board(), "def f():\n    1/0\nprint('x')\nf()\n")
    assert status == 1
    assert lines == [
        "x",
        "Traceback (most recent call last):",
        '  File "main.py", line 4, in <module>',
        '  File "main.py", line 2, in f',
        "ZeroDivisionError: divide by zero",
    ]


def test_syntax_error_is_a_traceback(bench):
    status, lines = bench.run(bench.board(), "print(1\n")
    assert status == 1
    assert lines[-1].startswith("SyntaxError")


def test_boot_order_and_names(bench):
    board = bench.board(
        {
            "/boot.py": "print('boot', __name__)\nx = 5\n",
            "/main.py": "print('main', __name__, x)\nimport mine, also\n",
            "/mine.py": "print('mine')\n",
            "/lib/also.py": "print('also')\n",
        }
    )
    status, lines = bench.run(board)
    assert (status, lines) == (0, ["boot __main__", "main __main__ 5", "mine", "also"])
    status, lines = bench.run(board, "import os; print(os.getcwd(), sorted(os.listdir('/')), x)")
    assert lines == ["boot __main__", "/flash ['flash', 'rom', 'sim'] 5"]


def test_exception_in_boot_py_does_not_stop_main_py(bench):
    board = bench.board({"/boot.py": "1/0\n", "/main.py": "print('main')\n"})
    status, lines = bench.run(board)
    assert status == 0
    assert lines[-1] == "main"
    assert "ZeroDivisionError: divide by zero" in lines


def test_the_host_is_out_of_reach(bench):
    program = """
    import os
    for path in ("/etc/passwd", "/tmp", "/sim/x", "/rom/x"):
        try:
            open(path, "w")
            print("opened", path)
        except OSError as e:
            print(e.errno)
    """
    _, lines = bench.run(bench.board(), program)
    assert lines == ["19", "19", "30", "30"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(bench, number):
    sim = bench.start(bench.board(), "import time\nprint('up')\nwhile True: time.sleep(1)")
    sim.wait_for("up")
    sim.process.send_signal(number)
    assert sim.wait() == 0
    assert sim.lines == ["up"]


def _interpreters(board):
    # processes that belong to the board, the supervisor excepted
    mark = f"SIM_DIR={board.path}\0".encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def test_sigkill_is_a_power_cut_and_leaves_no_orphan(bench):
    board = bench.board()
    program = (
        _TELL
        + """
with open("count", "a") as f:
    f.write("x")
print("up")
while True:
    pass
"""
    )
    for boot in range(3):
        sim = bench.start(board, program)
        sim.wait_for("up")
        assert sim.lines[0] == "boot 0 cause 1 wake 0"
        assert len(_interpreters(board)) == 1
        sim.process.kill()
        sim.process.wait()
        assert wait_for(lambda: not _interpreters(board), LIMIT)
        assert image.read(board.flash, "/count") == b"x" * (boot + 1)


def test_a_crash_of_the_interpreter_is_reported(bench):
    status, lines = bench.run(bench.board(), "import os; os.system('kill -SEGV $PPID')")
    assert status == 1
    assert lines == ["particle-mp sim: the interpreter died (status -11)"]


def test_second_board_in_the_same_folder_is_refused(bench):
    board = bench.board()
    first = bench.start(board, "import time\nprint('up')\nwhile True: time.sleep(1)")
    first.wait_for("up")
    status, lines = bench.run(board, "print('second')")
    assert status == 1
    assert len(lines) == 1
    assert "in use" in lines[0]
    assert first.process.poll() is None


def test_a_board_that_is_still_dying_keeps_the_next_one_waiting(bench):
    board = bench.board()
    held = board.lock()
    with pytest.raises(UserError, match="in use by another"):
        board.lock(0)
    # as an interpreter whose supervisor was killed
    os.pwrite(held, b"%-20d" % _NOBODY, 0)
    threading.Timer(0.5, os.close, (held,)).start()
    os.close(board.lock(0))
