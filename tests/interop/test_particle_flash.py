"""`particle flash` of particle-cli, unchanged, to the end: the board runs what was flashed."""

import json

import pytest

from cloud.running import Api
from e2e.desk import Desk
from e2e.updates import OTHER, image, start
from interop import node, particle_cli
from interop.particle_cli import Cli
from particle_tools.local import LocalCloud, wait_for

pytestmark = pytest.mark.timeout(300)  # each command is a process of a second or more
_LIMIT = 120


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture
def rest(cloud):
    """Give REST as the user."""
    name, _, password = cloud.user.partition(":")
    return Api(cloud.url).login((name, password))


@pytest.fixture
def cli(need, cloud, rest, tmp_path):
    """Give the tool with the user logged in."""
    packages = particle_cli.PACKAGES.find()
    need("particle-cli (npm)", packages, node.COMMAND)
    home = tmp_path / "home"
    found = Cli(packages, home)
    settings = {"apiUrl": cloud.url, "access_token": rest.token}
    settings["username"] = cloud.user.partition(":")[0]
    (home / ".particle").mkdir()
    (home / ".particle" / "particle.config.json").write_text(json.dumps(settings))
    return found


@pytest.fixture
def desk(tmp_path, cloud):
    """Give a desk with nothing on it."""
    found = Desk(tmp_path, cloud)
    yield found
    found.close()


@pytest.fixture
def events(cloud):
    """Give the stream of all events, open from before the test."""
    stream = cloud.api().events()
    yield stream
    stream.close()


def _last(rest, board):
    updates = rest("GET", f"/local/v1/devices/{board.device_id}/updates")[1]
    assert updates, "nothing was queued"
    return updates[0]


def _ended(rest, board):
    assert wait_for(lambda: _last(rest, board)["ended_at"], _LIMIT), _last(rest, board)
    return _last(rest, board)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_flash(cli, rest, events, desk, tmp_path, transport):
    board = start(desk, transport)
    online = lambda: rest("GET", f"/v1/devices/{board.device_id}")[1]["online"]  # noqa: E731
    assert wait_for(online, _LIMIT)
    file = tmp_path / "app.bin"
    file.write_bytes(image(1))
    assert "Flash success" in cli("flash", "--cloud", board.device_id, file)
    assert _ended(rest, board)["state"] == "success"
    told = [events.wait("spark/flash/status", _LIMIT)["data"] for _ in range(2)]
    assert told == ["started", "success"]
    board.said("update: version 1 is kept", _LIMIT)
    # over TCP a request that waits while the board connects anew ends with 408 at once
    path = f"/v1/devices/{board.device_id}/version"
    assert wait_for(lambda: rest("GET", path)[0] == 200, _LIMIT)
    assert cli("get", board.device_id, "version").strip() == "1"
    file.write_bytes(image(2, key=OTHER))
    assert "Flash success" in cli("cloud", "flash", board.device_id, file)
    update = _ended(rest, board)
    assert update["state"] == "failed" and "-1320" in update["error"]
    assert wait_for(lambda: rest("GET", path)[0] == 200, _LIMIT)
    assert cli("get", board.device_id, "version").strip() == "1"
