"""The serial port of a simulated board: unmodified mpremote, and a person at a terminal."""

import functools
import http.server
import json
import os
import select
import subprocess
import sys
import termios
import threading
import time
import tty

import pytest

from particle_tools.sim import image

_MPREMOTE = [sys.executable, "-m", "mpremote"]


class Port:
    """A board behind its serial port, and the two ways to use it."""

    def __init__(self, sim):
        self.sim = sim
        self.path = sim.wait_for("serial ").split()[1]
        self._fd = None
        self._seen = b""

    def mpremote(self, *arguments, cwd=None, status=0):
        """Run `mpremote connect PATH ...`; return what it printed."""
        done = subprocess.run(
            [*_MPREMOTE, "connect", self.path, *map(str, arguments)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def type(self, text):
        """Type at a terminal that is connected to the port."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self._fd, termios.TCSANOW)  # keeps what came before
        os.write(self._fd, text)

    def expect(self, text, seconds=60):
        """Return what the terminal shows up to and including `text`."""
        self.type(b"")
        end = time.monotonic() + seconds
        while text not in self._seen:
            assert time.monotonic() < end, (text, self._seen)
            if select.select([self._fd], [], [], 0.1)[0]:
                self._seen += os.read(self._fd, 4096)
        at = self._seen.index(text) + len(text)
        shown, self._seen = self._seen[:at], self._seen[at:]
        return shown

    def hang_up(self):
        """Disconnect the terminal."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._seen = b""


@pytest.fixture
def port(bench):
    """Give a function that starts a board with `files` on its flash and returns its port."""
    opened = []

    def start(files=None, program=None):
        board = bench.board(files)
        found = Port(bench.start(board, program, "--pty"))
        found.board = board
        opened.append(found)
        return found

    yield start
    for found in opened:
        found.hang_up()


def test_exec_and_eval(port):
    p = port({"/boot.py": "print('booting')\nx = 41\n", "/main.py": "print('main')\nx = 1\n"})
    # without `resume` mpremote resets softly into the raw REPL: boot.py runs, main.py does not
    assert p.mpremote("exec", "print(x + 1)") == "42\n"
    assert p.mpremote("resume", "exec", "x = 7") == ""
    assert p.mpremote("resume", "eval", "x") == "7\n"
    assert p.mpremote("eval", "x") == "41\n"
    out = p.mpremote("exec", "import machine; print(machine.reset_cause())")
    assert out == "5\n"
    assert "ZeroDivisionError" in p.mpremote("exec", "1/0", status=1)


def test_files(port, tmp_path):
    p = port()
    content = bytes(range(256)) * 20
    (tmp_path / "data.bin").write_bytes(content)
    (tmp_path / "mod.py").write_text("print('imported', 6 * 7)\n")
    out = p.mpremote(
        *("fs cp data.bin :d.bin + fs mkdir :lib + fs cp mod.py :lib/mod.py + fs ls".split()),
        cwd=tmp_path,
    )
    assert "5120 d.bin" in out
    assert p.mpremote("resume", "exec", "import mod") == "imported 42\n"
    assert p.mpremote("fs", "cat", ":lib/mod.py").endswith("print('imported', 6 * 7)\n")
    p.mpremote("fs", "cp", ":d.bin", "back.bin", cwd=tmp_path)
    assert (tmp_path / "back.bin").read_bytes() == content
    p.mpremote(*"fs rm :d.bin + fs rm :lib/mod.py + fs rmdir :lib".split())
    assert "d.bin" not in p.mpremote("fs", "ls")
    assert "No such file" in p.mpremote("fs", "cat", ":nothing", status=1)
    # what went over the wire is on the chip
    p.mpremote("fs", "cp", "mod.py", ":", cwd=tmp_path)
    p.sim.close()
    assert image.read(p.board.flash, "/mod.py") == (tmp_path / "mod.py").read_bytes()


def test_run_and_install_main(port, tmp_path):
    p = port()
    (tmp_path / "main.py").write_text("print('from main', __name__)\n")
    assert p.mpremote("run", "main.py", cwd=tmp_path) == "from main __main__\n"
    p.mpremote("fs", "cp", "main.py", ":main.py", cwd=tmp_path)
    p.type(b"\x04")
    p.expect(b"from main __main__\r\n")
    p.expect(b"\r\n>>> ")


def test_mount(port, tmp_path):
    p = port()
    folder = tmp_path / "mounted"
    folder.mkdir()
    binary = bytes(range(256)) + b"\r\n\n\x03\x18\x01\x02\x04"
    (folder / "in.bin").write_bytes(binary)
    (folder / "mod.py").write_text("value = 42\n")
    program = """
import os, mod
print(os.getcwd(), sorted(os.listdir()), mod.value)
with open("in.bin", "rb") as f, open("out.bin", "wb") as g:
    data = f.read()
    g.write(data)
print(len(data))
"""
    out = p.mpremote("mount", folder, "exec", program)
    assert "/remote ['in.bin', 'mod.py'] 42\n264\n" in out
    assert (folder / "out.bin").read_bytes() == binary


def _package(folder):
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").write_text("print('package')\n")
    (folder / "pkg" / "part.py").write_text("name = 'part'\n")
    files = ["pkg/__init__.py", "pkg/part.py"]
    text = json.dumps({"urls": [[name, name] for name in files], "version": "1.2.3"})
    (folder / "package.json").write_text(text)


def test_mip_install_from_a_folder(port, tmp_path):
    _package(tmp_path)
    p = port()
    out = p.mpremote("mip", "install", "./package.json", cwd=tmp_path)
    assert "Done" in out
    assert p.mpremote("exec", "import pkg.part as x; print(x.__file__)") == (
        "package\n/flash/lib/pkg/part.py\n"
    )


def test_mip_install_over_http(port, tmp_path):
    _package(tmp_path)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        p = port()
        assert "Done" in p.mpremote("mip", "install", url + "/package.json")
        server.shutdown()
    assert p.mpremote("exec", "import pkg.part as x; print(x.name)") == "package\npart\n"


def test_resets_from_mpremote(port):
    p = port()
    p.mpremote("soft-reset")
    assert p.mpremote("resume", "exec", "import machine; print(machine.reset_cause())") == "5\n"
    for command in ("reset", "bootloader"):
        p.mpremote(command)
        p.type(b"")
        p.expect(b"information.\r\n>>> ")  # the command does not wait for the board to be back
        assert p.mpremote("resume", "exec", "import machine; print(machine.reset_cause())") == (
            "2\n"
        )
        p.hang_up()


def test_ctrl_c_interrupts_main(port):
    main = "import time\nx = 3\nprint('main')\nwhile True: print('loop'); time.sleep(1)\n"
    p = port({"/main.py": main})
    p.expect(b"main\r\n")
    p.expect(b"loop\r\n")  # from here on it is in line 4
    p.type(b"\x03")
    shown = p.expect(b">>> ")
    assert b"KeyboardInterrupt" in shown
    assert b'  File "main.py", line 4, in <module>\r\n' in shown
    p.type(b"x\r")
    assert p.expect(b">>> ").endswith(b"\r\n3\r\n>>> ")
    # and mpremote gets in while main.py runs
    p.type(b"\x04")
    p.expect(b"main\r\n")
    p.hang_up()
    assert p.mpremote("exec", "print('in')") == "in\n"


_COLLECTS = """
import gc, time
many = [bytearray(9) for i in range(9000)]

def collect():
    try:
        while True:
            for _ in range(20):
                gc.collect()
            time.sleep_ms(1)
    except KeyboardInterrupt:
        print("it", "takes memory as ever:", bytes(len(many))[0])
"""


def test_ctrl_c_leaves_a_garbage_collection_alone(port):
    """It comes where the program waits."""
    p = port({"/boot.py": _COLLECTS})
    p.type(b"\r")
    p.expect(b">>> ")
    for _ in range(20):
        p.type(b"print('g' + 'o'); collect()\r")
        p.expect(b"go\r\n")
        p.type(b"\x03")
        assert p.expect(b">>> ") == b"it takes memory as ever: 0\r\n>>> "


def test_terminal(port):
    p = port({"/boot.py": "print('boot')\n"})
    p.type(b"\r")
    p.expect(b">>> ")
    # several lines pasted at once, each run before the next is read
    p.type(b"import time\rtime.sleep_ms(1)\rfor i in range(2):\rprint(i)\r\r\r\rprint('end')\r")
    assert b"0\r\n1\r\n" in p.expect(b"end\r\n>>> ")
    # code sent to the raw REPL is interrupted by Ctrl-C too, pasted or not
    for start in (b"", b"\x05A\x01"):
        p.type(b"\x01")
        p.expect(b"raw REPL; CTRL-B to exit\r\n>")
        p.type(start)
        if start:
            p.expect(b"R\x01")
            time.sleep(0.05)
        p.type(b"print('go')\nwhile True: pass\x04")
        p.expect(b"go")
        p.type(b"\x03")
        p.expect(b"KeyboardInterrupt")
        p.type(b"\x02")
        p.expect(b"\n>>> ")
    p.type(b"\x04")
    assert p.expect(b">>> ").startswith(b"\r\nMPY: soft reboot\r\nboot\r\n")
    p.type(b"import sys; sys.exit()\r")
    assert b"MPY: soft reboot\r\nboot\r\n" in p.expect(b"for more information.\r\n>>> ")


def test_output_that_nobody_reads_does_not_stop_the_board(port):
    program = """
    import machine
    from machine import Pin
    led = Pin(1, Pin.OUT)
    for _ in range(3000):
        print("x" * 100)
    led.on()
    """
    p = port(program=program)
    pins = p.board.path / "pins.json"
    end = time.monotonic() + 60
    while not pins.exists() or '"value": 1' not in pins.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert p.mpremote("exec", "print(1)") == "1\n"


def test_output_to_a_slow_reader_is_complete(port):
    p = port()
    out = p.mpremote("exec", "for i in range(20000): print(i)")
    assert out.split() == [str(i) for i in range(20000)]


def test_fallen_to_the_prompt_after_an_exception(port):
    p = port({"/main.py": "y = 5\n1/0\n"})
    shown = p.expect(b">>> ")
    assert b"ZeroDivisionError: divide by zero\r\n" in shown
    p.type(b"y\r")
    assert p.expect(b">>> ") == b"y\r\n5\r\n>>> "


def test_json_line(bench):
    board = bench.board()
    sim = bench.start(board, None, "--pty", "--json")
    ready = json.loads(sim.wait_for("ready ").removeprefix("ready "))
    assert ready["data"] == str(board.path)
    assert os.path.exists(ready["serial"])
    assert len(ready["device_id"]) == 24
    _, lines = bench.run(bench.board(name="other"), "print('x')", "--json")
    assert json.loads(lines[0].removeprefix("ready "))["serial"] is None
    assert lines[1:] == ["x"]
