"""What `usage()` says and what the cloud has counted are the same bytes, on both transports."""

import ast

import pytest

from particle_tools.local import wait_for

# Tells its own count of everything when the connection is over and nothing can be under way.
PROGRAM = """
import particle

particle.variable("temp", 21.5)
particle.function("size", len)
particle.subscribe("order", lambda name, data: orders.append(data))
orders = []
over = []
particle.function("stop", lambda text: over.append(text) or 1)
for _ in range(2):
    particle.connect(20)
    for n in range(3):
        particle.publish("n", "x" * (1 + n * 500), ack=True)
    particle.get_name()
    print("at your service")
    particle.wait_until(lambda: over)
    over.clear()
    particle.wait_until(lambda: False, 1)
    particle.disconnect(graceful=True)
print("usage", particle.usage())
"""


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_device_and_cloud_count_the_same(desk, api, events, transport):
    board = desk.board(PROGRAM, transport=transport)
    device = board.device_id
    for n in (1, 2):
        board.said("at your service", count=n)
        assert wait_for(lambda: api.device(device)["functions"], 30)
        assert api.call(device, "size", "x" * 700) == 700
        assert api.read(device, "temp") == 21.5
        api.publish("order", "tea")
        assert api.call(device, "stop", "") == 1
    assert wait_for(lambda: not api.device(device)["online"], 25)
    said = board.said("usage ")
    ours = ast.literal_eval(said.partition(" ")[2])
    theirs = api.usage(device)
    level = "segment" if transport == "tcp" else "datagram"
    assert ours["bytes_tx"] == theirs[f"{level}_up"] > 4000
    assert ours["bytes_rx"] == theirs[f"{level}_down"] > 1000
    assert ours["handshakes"] == theirs["handshakes"]
    assert ours["resumes"] == theirs["resumes"] == (transport == "udp")
    assert ours["drops"] == ours["limited"] == 0
    # each an operation: publishes, calls, reads, events; the name, twice two
    assert ours["ops"] == 2 * (3 + 2 + 1 + 1 + 2)
    assert theirs["calls"] == 4 and theirs["reads"] == 2 and theirs["events_down"] >= 2
