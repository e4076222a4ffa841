"""The program in the README runs as it stands there."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import ports
from particle_tools import ROOT
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

README = (ROOT / "README.md").read_text()


def program():
    """Return the first Python block of the README."""
    return re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


@pytest.fixture
def cloud(tmp_path):
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.stop()


def test_first_program(cloud, tmp_path):
    text = program()
    assert len(text.splitlines()) <= 15
    assert len([line for line in text.splitlines() if line.strip()]) <= 12
    script = tmp_path / "led.py"
    script.write_text(text)
    api = cloud.api()
    events = api.events()
    board = SimulatedBoard(tmp_path / "board", cloud, script=script)
    try:
        event = events.wait("hello")
        assert (event["data"], event["coreid"]) == ("world", board.device_id)
        assert wait_for(lambda: api.device(board.device_id)["functions"] == ["led"], 30)
        assert api.call(board.device_id, "led", "on") == 1
        assert api.call(board.device_id, "led", "off") == 0
        assert api.read(board.device_id, "temp") == 21.5
        api.publish("alarm", "fire")
        assert wait_for(lambda: "alarm fire" in board.output(), 30), board.output()
    finally:
        events.close()
        board.stop()


def commands():
    """Return the `particle-mp` commands of the README as argument lists."""
    lines = re.findall(r"^particle-mp (.*?)\s*&?$", README, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture
def as_written(tmp_path):
    """Run the commands as they stand, but for ports and folders; gives the port of the API."""
    serve, run_board = commands()
    port = ports.take()
    (tmp_path / "led.py").write_text(program())
    replaced = {"/tmp/cloud": "my cloud", "/tmp/board": "my board"}
    replaced["http://127.0.0.1:8080"] = f"http://127.0.0.1:{port}"
    running = []
    try:
        options = ["--http-port", str(port), "--tcp-port", "0", "--udp-port", "0"]
        for command in (serve + options, run_board):
            arguments = [replaced.get(word, word) for word in command]
            output = tmp_path / (arguments[0] + ".log")
            with output.open("wb") as log:
                argv = [sys.executable, "-m", "particle_tools", *arguments]
                process = subprocess.Popen(argv, cwd=tmp_path, stdout=log, stderr=log)
            running.append(process)
            expected = "ready {" if arguments[0] == "cloud" else "connected as "
            assert wait_for(lambda log=output, text=expected: text in log.read_text(), 30)
        yield port
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(10)


def test_commands_as_written(as_written):
    assert as_written


def test_questions_as_written(need, as_written):
    """What is typed in the other terminal gets its answers."""
    need("curl", shutil.which("curl"), "apt-get install curl")
    block = re.search(r"```sh\n(API=.*?)```", README, re.DOTALL)[1]
    script = block.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{as_written}")
    answers = wait_for(lambda: [json.loads(line) for line in asked(script)], 30)
    assert answers[0]["return_value"] == 1
    assert answers[1]["result"] == 21.5


def asked(script):
    """Return what the script prints, an answer per line; nothing when one of them failed."""
    done = subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, timeout=30, check=False
    )
    lines = done.stdout.replace("}{", "}\n{").splitlines()
    return lines if len(lines) == 2 and "error" not in done.stdout else []


def test_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
