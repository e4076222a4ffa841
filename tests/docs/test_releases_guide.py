"""The guide to releases: its commands run as they stand, its fields are those that there are."""

import json
import re
import shutil
import subprocess

import pytest

from cloud.ota_device import PLATFORM
from cloud.test_firmwares import versioned
from cloud.test_process import LOGIN, Process
from particle_tools import ROOT
from particle_tools.cloud.described import firmware, firmwares

GUIDE = (ROOT / "docs/releases.md").read_text()


@pytest.fixture
def printed(tmp_path, need):
    """Run the commands of the guide against a cloud; give what each printed."""
    need("curl", shutil.which("curl"), "apt-get install curl")
    (tmp_path / "pump-7.bin").write_bytes(versioned(7, product=4242))
    commands = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    with Process(tmp_path / "data", "--user", LOGIN) as process:
        token = process.api.login().token
        head = f"API={process.ready['http']}\nTOKEN={token}\n"
        script = head + "\n".join(f"{command}\necho" for command in commands)
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    return [json.loads(line) for line in done.stdout.splitlines() if line]


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
