"""The first ten minutes, as they stand in the guide: on a board as from the shop, by mpremote."""

import contextlib
import json
import re
import shlex

import pytest

from e2e.mpremote import mpremote
from e2e.remote_prompt import RemotePrompt, matches
from first_device import GUIDE, Desk, blocks, statements
from particle_tools import ROOT, packing
from particle_tools.boards import catalogue
from particle_tools.cli import build_parser
from particle_tools.errors import UserError
from particle_tools.local import wait_for


@pytest.fixture
def desk(tmp_path):
    """Give the desk."""
    with contextlib.ExitStack() as stack:
        yield Desk(tmp_path, stack)


def test_the_story(desk):
    serve, make, repl, laptop, keep, less, doctor, remove = blocks("sh")
    build_parser(["cloud"]).parse_args(shlex.split(serve.splitlines()[1])[1:])
    assert repl.split()[-1] == "repl" and "particle call first led on" in laptop
    printed = desk.shell(make)
    assert "esptool --chip esp32" in printed
    report = printed[printed.index("device id") :]
    rows = [line.split()[0] for line in blocks("text")[0].splitlines()]
    assert [line.split()[0] for line in report.splitlines()] == rows
    assert report.splitlines()[-2:] == blocks("text")[0].splitlines()[-2:]

    api = desk.cloud.api()
    events = api.events()
    first, looked, again = blocks("pycon")
    with RemotePrompt(desk.port) as prompt:
        for lines, expected in statements(first + looked):
            said = prompt.lines(lines)
            assert matches(said, expected), (lines, said)
        assert events.wait("hello")["data"] == "world"
        prompt.begin("particle.run()\r")  # there is no machine.Timer
        (device,) = api.get("/v1/devices")
        assert wait_for(lambda: api.device(device["id"])["functions"] == ["led"], 30)
        assert api.call("first", "led", "on") == 1
        assert json.loads(desk.pins.read_text())["2"]["value"] == 1
        assert api.read("first", "temp") == 21.5
        assert "KeyboardInterrupt" in prompt.type("\x03")
        for lines, expected in statements(again):
            said = prompt.lines(lines)
            assert matches(said, expected), (lines, said)
    events.close()

    assert catalogue.find("ESP32_GENERIC").profile["LED"] is None  # nor has the board on the desk
    (desk.folder / "main.py").write_text(blocks("python")[0])
    desk.shell(keep)
    assert wait_for(lambda: calls(api, "off") == 1, 30)
    seen = set()
    assert wait_for(lambda: seen.add(desk.pins.read_text()) or len(seen) > 1, 30)
    assert api.usage(device["id"])["handshakes"] == 1

    # version and hash, asked on the board and from the host; what differs, and what is upgraded
    hashes = {path: digits for path, digits in packing.known_files().items() if path[-3:] != ".py"}
    known = f"{packing.__version__}, {len(hashes)} files, hash {packing.library_hash(hashes)}"
    asked = "import particle; print(particle.diagnose()[0])"
    assert mpremote(desk.port, "exec", asked) == f"('library', True, '{known}')\n"
    damage = "with open('/flash/lib/particle/client.mpy', 'ab') as f: f.write(b'x')"
    mpremote(desk.port, "exec", damage)
    mpremote(desk.port, "exec", "open('/flash/lib/particle/wire/old one.mpy', 'w').close()")
    report = desk.shell(doctor)
    rows = re.findall(r"^(.{4}) library: (.*)$", report, re.MULTILINE)
    assert [row[0] for row in rows] == ["ok  ", "-   ", "-   "]
    assert f"library {packing.__version__}, {len(hashes) + 1} files, hash " in rows[0][1]
    assert rows[1][1].endswith(": particle/client.mpy")
    strange = f"tools' {packing.__version__}: particle/wire/old one.mpy"
    assert rows[2][1] == f"1 files are no part of these {strange}"
    said = desk.shell(less)
    assert re.findall(r"Installing: .*/particle/(.*)", said) == ["client.mpy"]
    assert said.count("Exists:") == len(packing.COMPONENTS["core-udp"])  # and the link
    install = next(line for line in make.splitlines() if " mip " in line)
    assert "Installing: " not in desk.shell(install)  # nothing is written again
    assert "old one.mpy" in desk.shell("mpremote connect /dev/ttyUSB0 fs ls :lib/particle/wire")
    desk.shell(re.search("Unless they are yours: (.*)", report)[1])
    assert mpremote(desk.port, "exec", asked) == f"('library', True, '{known}')\n"
    desk.shell(remove)
    shown = desk.shell("mpremote connect /dev/ttyUSB0 fs ls :lib + fs ls :pt")
    assert "particle" not in shown and "device.ec.der" in shown


def calls(api, argument):
    """Call the function of the guide; None while the board is not there."""
    try:
        return api.call("first", "led", argument)
    except UserError:
        return None


def test_every_link_leads_somewhere():
    for name in re.findall(r"\]\(([\w.-]+)\)", GUIDE):
        assert (ROOT / "docs" / name).is_file(), name
