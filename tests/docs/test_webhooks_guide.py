"""What docs/webhooks.md shows runs as it stands, but for the port of its server."""

import json
import shutil
import socket
import subprocess
import sys

import pytest

import ports
from cloud.running import Api
from guides import blocks, shell
from particle_tools import ROOT
from particle_tools.cloud import config_file
from particle_tools.cloud.settings import Limits
from particle_tools.cloud.webhooks.hosts import Allowed
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

TEXT = (ROOT / "docs" / "webhooks.md").read_text()


def block(kind, number=0):
    """Return a code block of the guide."""
    return blocks(TEXT, kind)[number]


@pytest.fixture
def port(tmp_path):
    """Run the guide's server on a port of our own."""
    number = ports.take()
    program = block("python").replace("9000", str(number))
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: _listens(number), 30)
    yield number
    process.kill()
    process.wait()


def _listens(number):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


def test_from_a_board_to_a_server_and_back(need, port, tmp_path):
    need("curl", shutil.which("curl"), "apt-get install curl")
    (tmp_path / "weather.json").write_text(block("json").replace("9000", str(port)))
    (tmp_path / "program.py").write_text(block("python", 1))
    cloud = LocalCloud(tmp_path)
    events = board = None
    try:
        api = cloud.api()
        events = api.events()
        name, _, password = cloud.user.partition(":")
        token = Api(cloud.url).login((name, password)).token
        script = f"API={cloud.url}\nTOKEN={token}\n{block('sh')}"
        made = json.loads(shell(script, tmp_path))
        assert made["ok"] is True and made["event"] == "weather"
        board = SimulatedBoard(tmp_path / "board", cloud, script=tmp_path / "program.py")
        answer = "the sky is cloudy at 21.5"
        assert wait_for(lambda: answer in board.output(), 30), (board.output(), cloud.output())
        assert events.wait(f"{board.device_id}/sky/0")["data"] == "cloudy at 21.5"
    finally:
        for each in (events, board, cloud):
            if each is not None:
                (each.close if each is events else each.stop)()


def test_the_list_of_hosts(tmp_path):
    file = tmp_path / "cloud.toml"
    file.write_text(block("toml"))
    allowed = Allowed(config_file.load(file)["webhook_hosts"])
    assert allowed.by_name("a.example.com") and allowed.by_address("192.168.1.1")
    assert not allowed.by_address("8.8.8.8")


def test_the_bounds_are_those_of_the_settings():
    limits = Limits()
    for bound in (
        f"{limits.hook_s:g} s |",
        f"{limits.hook_response // 1024} KiB |",
        f"{limits.hook_rate:g} in a second",
        f"| {limits.hook_queue} |",
    ):
        assert bound in TEXT, bound
