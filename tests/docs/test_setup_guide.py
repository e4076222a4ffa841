"""The guide to setup by phone: its program and its radio.json at work; what it names exists."""

import json
import re
import urllib.request

import pytest
from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA

import ports
from particle_tools import ROOT, packing, portal
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

GUIDE = (ROOT / "docs/setup.md").read_text()
_LIMIT_S = 40


def block(language):
    """Return the block of the guide in a language."""
    return re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[1]


class Page:
    """The board's HTTP server."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, path, **values):
        """Return the JSON of an answer, None while nobody listens."""
        body = json.dumps(values).encode() if values else None
        try:
            with urllib.request.urlopen(self._url + path, body, timeout=_LIMIT_S) as answer:
                return json.loads(answer.read())
        except OSError:
            return None


@pytest.fixture
def world(tmp_path):
    """Give (event stream, page, board) of the guide's program."""
    air = json.loads(block("json"))
    air["ap"]["ports"] = {name: ports.take() for name in air["ap"]["ports"]}
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "radio.json").write_text(json.dumps(air))
    script = tmp_path / "program.py"
    script.write_text(block("python"))
    cloud = LocalCloud(tmp_path)
    events = cloud.api().events()
    board = SimulatedBoard(folder, cloud, script=script)
    yield events, Page(air["ap"]["ports"]["80"]), board
    board.stop()
    events.close()
    cloud.stop()


def test_the_program(world):
    events, page, board = world
    assert wait_for(lambda: page.ask("/device-id"), _LIMIT_S), board.output()
    assert "join the network Pump-" in board.output()
    heard = [found["ssid"] for found in page.ask("/scan-ap")["scans"]]
    assert set(heard) == {"Home", "Cafe"}
    key = RSA.import_key(bytes.fromhex(page.ask("/public-key")["b"])[:162])
    secret = PKCS1_v1_5.new(key).encrypt(b"correct horse").hex()
    stored = page.ask("/configure-ap", idx=0, ssid="Attic", sec=0x400004, pwd=secret, hid=1)
    assert stored == {"r": 0}
    page.ask("/portal/join?ssid=Attic")
    state = lambda: (page.ask("/portal/state") or {}).get("state")  # noqa: E731
    assert wait_for(lambda: state() == "joined", _LIMIT_S), board.output()
    assert page.ask("/connect-ap", idx=0) == {"r": 0}
    assert events.wait("ready", _LIMIT_S)["data"] == "192.168.4.2"
    assert page.ask("/device-id") is None  # nothing listens any more


def test_what_the_page_says_is_in_the_table():
    texts = portal.texts()["en"]
    rows = re.findall(r"^\| ([A-Z][^|]+?) \|", GUIDE, re.MULTILINE)
    assert len(rows) == 7
    for row in rows:
        assert any(text.startswith(row) for text in texts.values()), row


def test_components_and_sources_exist():
    for name in ("setup", "softap", "portal", "wifi", "networks", "core-tcp", "keygen"):
        assert f"`{name}`" in GUIDE and name in packing.COMPONENTS
    assert (ROOT / "tools/particle_tools/portal/texts.json").is_file()
