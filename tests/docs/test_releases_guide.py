"""The guide to releases: its commands run as they stand, its fields are those that there are."""

import json
import re
import shutil

import pytest

from cloud.ota_device import PLATFORM
from cloud.test_process import LOGIN, Process
from e2e.desk import stored
from guides import blocks, shell
from particle_tools import ROOT, cli
from particle_tools.cloud.described import firmware, firmwares
from sim.boards import Bench

GUIDE = (ROOT / "docs/releases.md").read_text()


@pytest.fixture
def printed(tmp_path, need):
    """Run the commands of the guide against a cloud; give what each printed."""
    need("curl", shutil.which("curl"), "apt-get install curl")
    (tmp_path / "pump").mkdir()
    (tmp_path / "pump/app.py").write_text("import particle\n")
    key = str(tmp_path / "release.pem")
    assert cli.main(["firmware", "keys", key, "--new", "p256"]) == 0
    place = Bench(tmp_path)
    port = place.start(place.board(), None, "--pty").wait_for("serial ").split()[1]
    commands = "\n".join(f"{command}\necho" for command in blocks(GUIDE, "sh"))
    try:
        with Process(tmp_path / "data", "--user", LOGIN) as process:
            api = process.api.login()
            cloud = f"--cloud {process.ready['http']} --user {LOGIN} --server 127.0.0.1"
            head = {"API": process.ready["http"], "TOKEN": api.token, "PORT": port, "CLOUD": cloud}
            said = shell(commands, tmp_path, **head)
            members = api("GET", "/v1/products/4242/devices")[1]["devices"]
    finally:
        place.close()
    settings = json.loads(stored(tmp_path / "board")["config.json"])
    assert settings["product_id"] == 4242
    assert [each["id"] for each in members] == [settings["device_id"]]
    return [json.loads(line) for line in said.splitlines() if line[:1] == "{"]


def test_commands_do_what_the_guide_says(printed):
    product, uploaded, tenth, everyone = printed
    assert (product["product"]["id"], product["product"]["platform_id"]) == (4242, PLATFORM)
    assert (uploaded["version"], uploaded["title"]) == (7, "Less noise")
    assert tenth["releases"][0]["percentage"] == 10 and tenth["current"]
    assert everyone["releases"][0]["percentage"] == 100


def test_fields_are_those_that_there_are():
    rows = set(re.findall(r"^\| `(\w+)`", GUIDE, re.MULTILINE))
    body = firmwares.OPERATIONS["PUT", "/v1/products/{product}/firmware/release"].body
    update = firmware.OPERATIONS["GET", "/local/v1/devices/{device}/updates"].answers[200]["items"]
    known = set(body["properties"]) | set(update["properties"])
    assert rows <= known
    assert known - rows <= {"product_default", "id", "queued_at", "ended_at", "files"}
