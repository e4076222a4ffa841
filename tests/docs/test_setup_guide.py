"""The guide to setup by phone: its program and its radio.json at work; what it names exists."""

import argparse
import json
import re
import shlex
import socket
import urllib.request

import pytest
from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA

import ports
from particle_tools import ROOT, packing, portal
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for
from particle_tools.verbs import cloud, setup

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
def air():
    """Give the guide's radio.json, with ports that are free here."""
    found = json.loads(block("json"))
    found["ap"]["ports"] = {name: ports.take() for name in found["ap"]["ports"]}
    return found


@pytest.fixture
def world(tmp_path, air):
    """Give (event stream, page, board) of the guide's program."""
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "radio.json").write_text(json.dumps(air))
    script = tmp_path / "program.py"
    script.write_text(block("python"))
    local = LocalCloud(tmp_path)
    events = local.api().events()
    board = SimulatedBoard(folder, local, script=script)
    yield events, Page(air["ap"]["ports"]["80"]), board
    board.stop()
    events.close()
    local.stop()


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


@pytest.fixture
def neighbour(air):
    """Give the port of the page, on which somebody else listens."""
    port = air["ap"]["ports"]["80"]
    with socket.socket() as s:
        s.bind(("127.0.0.1", port))
        s.listen()
        yield port


def test_a_port_that_is_in_use(neighbour, world):
    _, _, board = world
    said = f"setup: port {neighbour} is in use: end what listens there, or give it another port"
    assert wait_for(lambda: f"{said} (-230)\n" in board.output(), _LIMIT_S), board.output()


def test_the_ports_of_board_and_cloud_differ():
    of_board = json.loads(block("json"))["ap"]["ports"]
    parser = argparse.ArgumentParser()
    cloud.add_arguments(parser)
    defaults = re.findall(r"--(?:tcp|udp|http)-port PORT\s+(\d+);", parser.format_help())
    assert len(defaults) == 3 and not {int(port) for port in defaults} & set(of_board.values())
    # what a board does that has no radio.json, and what its sources and the guide say of it
    sources = (ROOT / "boards/UNIX_SIM/modules/socket.py").read_text()
    default = json.loads(re.search(r"^_PORTS = (.+)$", sources, re.MULTILINE)[1])
    assert default.items() <= of_board.items()
    assert json.dumps(of_board) in sources
    assert f"port 80 at {default['80']}" in (ROOT / "boards/UNIX_SIM/board.md").read_text()
    assert f"http://127.0.0.1:{default['80']}/" in GUIDE
    assert f"--address 127.0.0.1 --pages {default['80']}" in GUIDE


def test_options_exist():
    parser = argparse.ArgumentParser()
    setup.add_arguments(parser)
    for line in re.findall(r"^particle-mp setup (.+)$", GUIDE, re.MULTILINE):
        words = shlex.split(line.replace("$CLOUD", "--cloud http://127.0.0.1:8080 --user a:b"))
        assert parser.parse_args(words).action == "softap"
    for option in ("--address", "--port", "--pages", "--stay", "--http", "--claim-code"):
        assert f"`{option}" in GUIDE


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
