"""What a person at the prompt of MicroPython sees: completion, and errors nobody caught."""

import os
import pty
import select
import time

import pytest

from particle_tools import ROOT, interpreter
from rules.public_names import KINDS
from rules.test_public_names import PENDING_NAMES

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

    def type(self, text):
        """Type `text` and return what appears."""
        os.write(self._fd, text.encode())
        return self.seen()

    def seen(self, silence=0.4, limit=10):
        """Return what appears until nothing more does."""
        out = b""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if not select.select([self._fd], [], [], silence if out else 3)[0]:
                break
            out += os.read(self._fd, 65536)
        return out.decode()

    def close(self):
        """End the interpreter."""
        os.write(self._fd, b"\x03\x04")
        os.close(self._fd)
        os.waitpid(self._pid, 0)


@pytest.fixture
def prompt(tmp_path):
    prompt = Prompt(tmp_path)
    yield prompt
    prompt.close()


def test_tab_completes_every_verb(prompt):
    prompt.type("import particle\r")
    assert set(VERBS) <= set(prompt.type("particle.\t").split())
    prompt.type("\x03")
    assert prompt.type("particle.diag\t").endswith("particle.diagnose")
    prompt.type("\x03")
    prompt.type("c = particle.cloud\r")
    assert set(VERBS) <= set(prompt.type("c.\t").split())


def test_an_error_nobody_caught_names_stage_and_remedy(prompt):
    prompt.type("import particle\r")
    said = prompt.type("particle.connect(timeout=5)\r")
    assert "ConfigError" in said and "DNS: no server: particle.server(host)" in said
    prompt.type("particle.config(server='127.0.0.1', port=1)\r")
    said = prompt.type("particle.connect(timeout=0)\r")
    assert "ConfigError" in said and "server key: server.ec.der: missing" in said
