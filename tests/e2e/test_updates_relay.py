"""Updates of boards over a network that does not help, in processes of their own and for long.

On a fake clock test_updates_world.py does the same in seconds.
"""

import time

import pytest

from e2e.desk import store
from e2e.updates import GOOD, KEY, image
from particle_tools.images import signing
from particle_tools.local import wait_for
from relay import UdpRelay, Weather

LIMIT = 120
LARGE = GOOD + "\n# " + "".join(chr(97 + i * i % 26) for i in range(60_000))
_CHUNK = 900  # bytes of a datagram with a chunk, at least


@pytest.fixture
def network(cloud):
    """Give a relay to the cloud."""
    relay = UdpRelay(cloud.ready["udp_port"])
    yield relay
    relay.close()


def switched_on(desk, network):
    """Switch the board on; a new one gets the key for updates first."""
    if not (desk.folder / "board").exists():
        folder = desk.made(transport="udp")
        store(folder, "update.0.der", signing.der(KEY.public_key()))
    return desk.board(None, server=f"127.0.0.1:{network.port}", transport=None)


def chunks(network):
    """Return how many chunks have gone to the board."""
    return sum(len(datagram) > _CHUNK for datagram in network.down)


def sent(network, count):
    assert wait_for(lambda: chunks(network) >= count, LIMIT)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("loss", [0.0, 0.05, 0.2])
def test_cuts_blackouts_and_loss(desk, api, network, loss):
    board = switched_on(desk, network)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    network.storm.weather = Weather(loss=loss, double=0.1, corrupt=0.02, delay=0.2)
    for version in (1, 2, 3):
        api.flash(device, image(version, LARGE))
        seen = chunks(network)
        for _ in range(3):
            sent(network, seen + 10)
            seen = chunks(network)
            board.kill()
            board = switched_on(desk, network)
        network.dark = True
        time.sleep(20)
        network.dark = False
        board.said(f"update: version {version} is kept", 900)
