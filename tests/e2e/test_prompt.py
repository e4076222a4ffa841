"""What a person at the prompt of MicroPython sees: completion, and errors nobody caught."""

import os
import pty
import re
import select
import signal
import time

import pytest

from particle_tools import ROOT, interpreter
from particle_tools import __version__ as VERSION
from rules.public_names import KINDS
from rules.test_public_names import PENDING_NAMES

PROMPT = ">>> "
OBJECTS = set(KINDS["objects"]) - PENDING_NAMES
VERBS = sorted(set(KINDS["verbs"]) - PENDING_NAMES)


class Prompt:
    """The interpreter on a terminal: a board with a store of its own, never provisioned."""

    def __init__(self, folder):
        (folder / "machine.py").write_text("def unique_id():\n    return b'abcdef'\n")
        profile = 'PLATFORM_ID, NET, TRANSPORT, STORE_ROOT = 3, "host", "udp", %r\n'
        (folder / "particle_board.py").write_text(profile % f"{folder}/pt")
        argv = interpreter.find()
        pid, self._fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ["MICROPYPATH"] = f"{ROOT}/lib:{folder}:.frozen"
            os.execv(argv[0], argv)
        self._pid = pid
        self.seen()

    def type(self, text, end=PROMPT):
        """Type `text` and return what appears until `end`."""
        os.write(self._fd, text.encode())
        return self.seen(end)

    def seen(self, end=PROMPT, limit=30):
        """Return what appears until `end` is the last of it."""
        out = b""
        late = time.monotonic() + limit
        while not out.endswith(end.encode()):
            left = late - time.monotonic()
            assert left > 0 and select.select([self._fd], [], [], left)[0], out
            out += os.read(self._fd, 65536)
        return out.decode()

    def close(self):
        """End the interpreter."""
        os.close(self._fd)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.fixture
def prompt(tmp_path):
    prompt = Prompt(tmp_path)
    yield prompt
    prompt.close()


def test_tab_completes_every_verb(prompt):
    prompt.type("import particle\r")
    assert set(VERBS) <= set(prompt.type("particle.\t", PROMPT + "particle.").split())
    prompt.type("\x03")
    prompt.type("particle.diag\t", "particle.diagnose")
    prompt.type("\x03")
    prompt.type("c = particle.cloud\r")
    assert set(VERBS) <= set(prompt.type("c.\t", PROMPT + "c.").split())


def test_an_error_nobody_caught_names_stage_and_remedy(prompt):
    prompt.type("import particle\r")
    said = prompt.type("particle.connect(timeout=5)\r")
    assert "ConfigError" in said and "address: no server: particle.server(host)" in said
    prompt.type("particle.config(server='127.0.0.1', port=1)\r")
    said = prompt.type("particle.connect(timeout=0)\r")
    assert "ConfigError" in said and "server key: server.ec.der: missing" in said


def test_tab_knows_the_objects_once_something_was_used(prompt):
    prompt.type("import particle\r")
    prompt.type("particle.cloud\r")
    offered = prompt.type("particle.\t", PROMPT + "particle.").split()
    assert {"cloud", "wifi", "led", "system", "time", "retained", "setup"} <= set(offered)
    prompt.type("\x03")
    prompt.type("particle.wif\t", "particle.wifi")
    assert "<Wifi: this board has no Wi-Fi>" in prompt.type("\r")


def test_help_says_how_every_verb_is_used(prompt):
    prompt.type("import particle\r")
    said = prompt.type("help(particle)\r")
    rows = dict(re.findall(r"^  (\w+) -- (.*?)\r?$", said, re.MULTILINE))
    assert rows["version"] == VERSION
    for verb in VERBS:
        assert rows[verb].startswith(verb + "("), rows[verb]
    assert "object at" not in said and "<closure" not in said
    # what else has a name there: what the interpreter itself keeps, and parts of the library
    own = {"cloud", "version", "version_number", "__doc__", *VERBS}
    for name in set(rows) - own - OBJECTS - {"__getattr__", "__name__", "__file__", "__path__"}:
        assert rows[name].startswith("<module 'particle."), name
    for name in OBJECTS:  # and what they do
        assert rows[name]
    assert "connect(timeout=None)" in rows["wifi"] and "driver(device=None)" in rows["led"]
    # and without brackets
    assert "connect(timeout=None, *, background=True)  " in prompt.type("particle.connect\r")
