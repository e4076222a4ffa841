"""The guide to provisioning: its commands run as they stand, on a board as from the shop."""

import json
import re
import shlex
from string import Template

import pytest

from guides import blocks
from particle_tools import ROOT
from particle_tools.cli import build_parser, main
from particle_tools.local import LocalCloud
from particle_tools.provisioning import batch
from sim.boards import Bench

GUIDE = (ROOT / "docs" / "provisioning.md").read_text()


@pytest.fixture
def bench(tmp_path):
    """Give a place for boards."""
    place = Bench(tmp_path)
    yield place
    place.close()


def test_commands_are_as_written(bench, tmp_path, monkeypatch, capsys):
    ports = []
    for name in ("one", "two"):
        sim = bench.start(bench.board(name=name), None, "--pty")
        ports.append(sim.wait_for("serial ").split()[1])
    (tmp_path / "networks.json").write_text(blocks(GUIDE, "json")[0])
    table = blocks(GUIDE, "csv")[0]
    for i, port in enumerate(ports):
        table = table.replace(f"/dev/ttyACM{i}", port)
    (tmp_path / "boards.csv").write_text(table)
    cloud = LocalCloud(tmp_path)
    monkeypatch.chdir(tmp_path)
    variables = {}

    def shell(block):
        # what a shell would make of it; -> what was printed
        text = Template(block).substitute(variables).replace("/dev/ttyACM0", ports[0])
        text = text.replace("http://127.0.0.1:8080", cloud.url)
        text = text.replace("me@example.com:secret", cloud.user)
        # the address of the guide is nobody's here: the doctor would look for it
        text = text.replace("--server 192.168.1.20", "")
        for line in text.splitlines():
            words = shlex.split(line)
            if words[0] == "particle-mp":
                assert main(words[1:]) == 0, line
        return capsys.readouterr().out

    try:
        first, networks, many, keys, doctor = blocks(GUIDE, "sh")
        for line in first.splitlines()[:2]:
            name, _, value = line.partition("=")
            variables[name] = shlex.split(value)[0]
        printed = shell("\n".join(first.splitlines()[2:]))
        rows = [line.split()[0] for line in blocks(GUIDE, "text")[0].splitlines()]
        assert [line.split()[0] for line in printed.splitlines()] == rows
        assert printed.splitlines()[-1] == blocks(GUIDE, "text")[0].splitlines()[-1]
        printed = shell(networks)
        stored = ", ".join(f"wifi {name}" for name in ("MyNetwork", "upstairs", "caf\\xe9", "lab"))
        assert printed.splitlines()[-1] == f"changed    {stored}"
        reports = [json.loads(line) for line in shell(many).splitlines()]
        assert [report["ok"] for report in reports] == [True, True]
        assert shell(keys).splitlines()[-1] == "device.ec.der"
        assert (tmp_path / "public.pem").exists()
        printed = shell(doctor)
        assert "ok   wear: " in printed and "FAIL" not in printed
    finally:
        cloud.stop()


def test_the_guide_names_what_there_is():
    parser = build_parser(["provision"])
    choices = next(a for a in parser._actions if a.dest == "verb").choices["provision"]
    known = {option for action in choices._actions for option in action.option_strings}
    named = set(re.findall(r"--[a-z][a-z-]+", GUIDE))
    of_others = {"--lan", "--dir", "--write", "--private", "--force", "--pty", "--blank", "--data"}
    assert named - of_others <= known
    assert known - named <= {"--help", "-h"}
    for column in batch._COLUMNS:
        assert f"`{column}`" in GUIDE


def test_every_stage_has_a_row():
    rows = set(re.findall(r"^\| ([\w ]+?) \|", GUIDE, re.MULTILINE))
    sources = [*(ROOT / "tools" / "particle_tools" / "provisioning").glob("*.py")]
    stages = {s for p in sources for s in re.findall(r'BoardError\(\s*"([a-z ]+)"', p.read_text())}
    assert {"port", "library", "server"} <= stages
    assert stages - {"file system"} | {"store", "id", "device key", "cloud"} <= rows
