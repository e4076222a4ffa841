"""`particle-mp demo`, from a user's side."""

import json
import os
import subprocess
import sys
from pathlib import Path

DEMO = [sys.executable, "-m", "particle_tools", "demo", "--json"]


def demo(tmp_path, **environment):
    """Run the demo with its temporary folder in `tmp_path`."""
    return subprocess.run(
        DEMO,
        env=os.environ | {"TMPDIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_every_step_is_confirmed_and_nothing_is_left(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["ok"] is True
    assert [step["ok"] for step in last["steps"]] == [True] * len(last["steps"])
    facts = {key: value for step in last["steps"] for key, value in step["facts"].items()}
    assert facts["publish_network_bytes"] <= 145
    assert facts["resume_publish_network_bytes"] <= 145
    assert facts["boots"] == 2
    assert list(Path(tmp_path).iterdir()) == []


def test_a_failed_step_is_named_and_its_logs_are_kept(tmp_path):
    done = demo(tmp_path, MICROPYTHON="/bin/false")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["ok"] is False
    assert "provisioning" in done.stderr
    assert "MicroPython" in done.stderr
    assert len(list(Path(tmp_path).iterdir())) == 1
