"""The guide to the cloud: its commands run as they stand, its files are what they seem to be."""

import configparser
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.test_process import Process
from guides import blocks, shell
from particle_tools import ROOT
from particle_tools.cli import build_parser
from particle_tools.cloud import config_file
from particle_tools.cloud.metering import KINDS
from particle_tools.cloud.settings import Settings

DOCS = ROOT / "docs"
GUIDE = (DOCS / "cloud.md").read_text()
FILES = DOCS / "cloud"


@pytest.fixture
def output(tmp_path, need):
    """Run the configuration and the commands of the guide; give what each printed, and the log."""
    need("curl", shutil.which("curl"), "apt-get install curl")
    config = tmp_path / "cloud.toml"
    config.write_text(blocks(GUIDE, "toml")[0])
    config.chmod(0o600)
    with Process(tmp_path / "data", "--config", str(config)) as process:
        login, *commands = blocks(GUIDE, "sh")
        script = "\n".join([login, *(f"{c}\necho\necho ---" for c in commands)])
        script = script.replace("http://127.0.0.1:8080", process.ready["http"])
        printed = shell(script, tmp_path)
        code, _, log = process.end()
        assert code == 0
    return printed.split("---\n")[:-1], log


def test_commands_metrics_and_log_are_as_written(output):
    (usage, plan, metrics), log = output
    assert json.loads(usage)["account"]["operations"] == 0
    assert json.loads(plan)["plan"] == "free"
    assert json.loads(plan)["resources"]["operations"]["limit"] == 100_000
    listed = GUIDE[GUIDE.index("All names begin") : GUIDE.index("## Logs")]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", listed))
    found = set(re.findall(r"^# TYPE particle_cloud_(\w+)", metrics, re.MULTILINE))
    assert len(named) > 10 and named <= found
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if "request_id" in line]
    (shown,) = (json.loads(block) for block in blocks(GUIDE, "json"))
    assert set(shown) - {"device_id"} == set(requests[0]) and shown["level"] == "info"


def test_the_guide_names_what_there_is():
    fields = {name for part in ("metering", "rates", "plan") for name in vars(part_of(part))}
    for name in ("large_publish", "asked", "repeated_publish", "strict", "grace_days", "blocks"):
        assert name in fields and name in GUIDE
    assert "ping" in KINDS


def part_of(name):
    return getattr(Settings(data=Path("x")), name)


def test_the_shipped_configuration():
    known = config_file.load(FILES / "cloud.toml")
    expected = Settings(data=Path("/var/lib/particle-cloud"), tcp_port=5683, udp_port=5684)
    log = dataclasses.replace(expected.log, format="json", level="info")
    assert Settings(**known) == dataclasses.replace(expected, http_port=8080, log=log)


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(FILES / "particle-cloud.service")
    return parser


def test_the_unit_starts_the_cloud():
    service = unit()["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.startswith("/") and Path(program).name == "particle-mp"
    args = build_parser(["cloud"]).parse_args(arguments)
    assert str(args.config) == "${CREDENTIALS_DIRECTORY}/cloud.toml"
    assert service["LoadCredential"].startswith("cloud.toml:/etc/particle-cloud/")
    assert str(args.data).endswith("${STATE_DIRECTORY}")
    # time enough to end in order
    assert float(service["TimeoutStopSec"]) > 2 * part_of("limits").stop_s
    assert service["StateDirectoryMode"] == "0700" and service["NoNewPrivileges"] == "yes"


def test_systemd_finds_nothing_wrong(tmp_path, need):
    need("systemd-analyze", shutil.which("systemd-analyze"), "apt-get install systemd")
    path = tmp_path / "particle-cloud.service"
    text = (FILES / path.name).read_text()
    program = unit()["Service"]["ExecStart"].split()[0]
    path.write_text(text.replace(program, sys.executable))  # it must exist
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def instructions():
    """Return [(name, rest)] of the Containerfile, continued lines joined."""
    text = (FILES / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#")]


def test_the_container_file():
    found = instructions()
    names = [name for name, _ in found]
    assert set(names) <= {
        *("FROM", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"),
        *("HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    last = dict(found)
    assert names[0] == "FROM" and re.fullmatch(r"python:3\.1\d-slim", last["FROM"])
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")
    assert last["USER"] != "0" and last["STOPSIGNAL"] == "SIGTERM"
    assert last["EXPOSE"].split() == ["5683/tcp", "5684/udp", "8080/tcp"]
    for name, rest in found:
        if name == "COPY":
            *sources, target = rest.split()
            assert target.startswith("/opt/particle-mp/")
            assert all((ROOT / source).exists() for source in sources)
    program, verb = json.loads(last["ENTRYPOINT"])
    args = build_parser([verb]).parse_args([verb, *json.loads(last["CMD"])])
    assert program == "particle-mp" and args.lan and str(args.data) == last["VOLUME"]
    check = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    compile(check[2], "HEALTHCHECK", "exec")
