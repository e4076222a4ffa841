"""`particle-mp demo`, from a user's side."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from particle_tools.local import wait_for

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


def running(folder):
    """List the processes that were told of `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue  # it has ended
    return found


def test_a_demo_that_is_ended_leaves_nothing(tmp_path):
    """While the cloud starts: it is nobody's yet, and it was left."""
    code = f"import signal; signal.signal({int(signal.SIGTERM)}, signal.SIG_DFL);"
    code += "import sys; from particle_tools.cli import main; sys.exit(main(['demo']))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    ) as process:
        # what the cloud makes itself: who started it has long been told that it runs
        assert wait_for(lambda: list(tmp_path.glob("*/cloud/*")), 30)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert running(tmp_path) == [] and list(tmp_path.iterdir()) == []
