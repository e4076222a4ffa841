"""The guide to flashing: its commands run as they stand, on a mock chip."""

import os
import re
import subprocess
import sys
from pathlib import Path

from particle_tools import ROOT
from particle_tools.local import LocalCloud

GUIDE = (ROOT / "docs" / "flashing.md").read_text()


def test_commands(chip, images, tmp_path):
    board = chip()
    (tmp_path / "ESP32_GENERIC.bin").write_bytes(images().read_bytes())
    cloud = LocalCloud(tmp_path)
    try:
        commands = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))
        place = f"--cloud {cloud.url} --user '{cloud.user}'"
        commands = re.sub(r'CLOUD=".*"', f'CLOUD="{place}"'.replace("'", ""), commands)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", commands],
            cwd=tmp_path,
            env=os.environ | {"PATH": path, "PORT": board.port},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        device = cloud.api().device("240ac4e29526" + "0" * 12)
        assert device["name"] == "pump"
    finally:
        cloud.stop()
    said = re.search(r"```text\n(.*?)```", GUIDE, re.DOTALL)[1].splitlines()
    printed = done.stdout.splitlines()
    # but for the port and the number of files, which grows
    for line in said[1:3] + said[4:]:
        assert line in printed, line
    assert len((tmp_path / "production.bin").read_bytes()) == 4 << 20
