"""The guide to provisioning: its commands run as they stand, on a board as from the shop."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from particle_tools import ROOT
from particle_tools.cli import build_parser
from particle_tools.local import LocalCloud
from particle_tools.provisioning import batch
from sim.boards import Bench

GUIDE = (ROOT / "docs" / "provisioning.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language):
    """Return the blocks of the guide in a language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def bench(tmp_path):
    """Give a place for boards."""
    place = Bench(tmp_path)
    yield place
    place.close()


def test_commands_are_as_written(bench, tmp_path):
    ports = []
    for name in ("one", "two"):
        sim = bench.start(bench.board(name=name), None, "--pty")
        ports.append(sim.wait_for("serial ").split()[1])
    (tmp_path / "networks.json").write_text(blocks("json")[0])
    table = blocks("csv")[0]
    for i, port in enumerate(ports):
        table = table.replace(f"/dev/ttyACM{i}", port)
    (tmp_path / "boards.csv").write_text(table)
    cloud = LocalCloud(tmp_path)
    try:
        script = "\necho ---\n".join(blocks("sh")).replace("/dev/ttyACM0", ports[0])
        script = script.replace("http://127.0.0.1:8080", cloud.url)
        script = script.replace("me@example.com:secret", cloud.user)
        # the address of the guide is nobody's here: the doctor would look for it
        script = script.replace("--server 192.168.1.20", "")
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        cloud.stop()
    assert (done.returncode, done.stderr) == (0, ""), done
    first, networks, many, keys, doctor = done.stdout.split("---\n")
    rows = [line.split()[0] for line in blocks("text")[0].splitlines()]
    assert [line.split()[0] for line in first.splitlines()] == rows
    shown = blocks("text")[0].splitlines()[-1]
    assert first.splitlines()[-1] == shown
    assert (
        networks.splitlines()[-1]
        == "changed    wifi MyNetwork, wifi upstairs, wifi caf\\xe9, wifi lab"
    )
    reports = [json.loads(line) for line in many.splitlines()]
    assert [report["ok"] for report in reports] == [True, True]
    assert keys.splitlines()[-1] == "device.ec.der" and (tmp_path / "public.pem").exists()
    assert "ok   wear: " in doctor and "FAIL" not in doctor


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
