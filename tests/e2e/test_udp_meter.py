"""What the cloud says a board has used is what a relay between the two has counted.

The relay sees datagrams or bytes of a stream; the operations are those of the script here.
"""

import pytest

from e2e.desk import LIMIT, REMOTE, Board
from e2e.relay import BreakingRelay
from particle_tools.local import LocalCloud, wait_for
from relay import UdpRelay

SETUP = """
particle.variable("temp", 21.5)
particle.subscribe("order", lambda name, data: heard.append(data))
"""
_HEADERS = 28  # IPv4 and UDP, of each datagram


def agreed(usage, relay):
    """Tell whether both have counted the same, in both directions."""
    up, down = list(relay.up), list(relay.down)
    return [
        (usage["datagrams_up"], usage["datagram_up"]),
        (usage["datagrams_down"], usage["datagram_down"]),
        usage["network_estimate"],
    ] == [
        (len(up), sum(map(len, up))),
        (len(down), sum(map(len, down))),
        sum(len(datagram) + _HEADERS for datagram in up + down),
    ]


def test_the_meter_agrees_with_a_relay(tmp_path):
    cloud = LocalCloud(tmp_path / "cloud")
    relay = UdpRelay(cloud.ready["udp_port"])
    script = tmp_path / "board.py"
    script.write_text(REMOTE.format(setup=SETUP))

    def start():
        server = f"127.0.0.1:{relay.port}"
        return Board(tmp_path / "board", cloud, script=script, server=server, transport="udp")

    board = start()
    try:
        api, device = cloud.api(), board.device_id

        def same():
            return wait_for(lambda: agreed(api.usage(device), relay), 30)

        board.said("connected")
        assert wait_for(lambda: api.device(device)["variables"], LIMIT)
        assert same(), (api.usage(device), relay.bytes())
        board.did(api, "event('long', 'x' * 1024, ack=True)")
        assert api.read(device, "temp") == 21.5
        api.publish("order", "tea")
        assert wait_for(lambda: "tea" in board.did(api, "heard"), LIMIT)
        assert same(), (api.usage(device), relay.bytes())
        board.kill()
        board = start()
        assert wait_for(lambda: api.usage(device)["resumes"] == 1, LIMIT)
        board.did(api, "1 + 1")
        assert same(), (api.usage(device), relay.bytes())
        board.did(api, "particle.disconnect(graceful=True)")
        assert wait_for(lambda: not api.device(device)["online"], LIMIT)
        assert same(), (api.usage(device), relay.bytes())
        usage = api.usage(device)
        assert (usage["handshakes"], usage["resumes"]) == (1, 1)
        assert usage["segments_up"] == usage["segments_down"] == 0
        assert usage["network_estimate"] == relay.bytes()
    finally:
        board.stop()
        relay.close()
        cloud.stop()


def operations(api, board):
    """Do one of each kind by way of the board; return how many data operations that is."""
    calls = 0

    def did(text):
        nonlocal calls
        calls += 1  # of the function `do`
        return board.did(api, text)

    did("event('tick', 'x' * 1024, ack=True)")  # 1
    did("event('tick', 'x', ack=False)")  # 1
    did("event('spark/mine', 'x', ack=True)")  # 0
    assert "board-" in did("particle.get_name()")  # 2
    assert api.read(board.device_id, "temp") == 21.5  # 1
    assert api.read(board.device_id, "temp") == 21.5  # 1
    for _ in range(3):
        api.publish("order", "tea")  # 1
    api.publish("another", "tea")  # 0
    assert wait_for(lambda: did("heard").count("tea") == 3, LIMIT)
    return calls + 1 + 1 + 2 + 2 + 3


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_operations_and_bytes_of_every_kind(tmp_path, transport):
    cloud = LocalCloud(tmp_path / "cloud")
    port = cloud.ready[f"{transport}_port"]
    relay = UdpRelay(port) if transport == "udp" else BreakingRelay(port)
    script = tmp_path / "board.py"
    script.write_text(REMOTE.format(setup=SETUP))
    board = Board(
        tmp_path / "board",
        cloud,
        script=script,
        server=f"127.0.0.1:{relay.port}",
        transport=transport,
    )
    try:
        api, device = cloud.api(), board.device_id
        board.said("connected")
        assert wait_for(lambda: api.device(device)["variables"], LIMIT)
        expected = operations(api, board)
        usage = api.usage(device)
        assert usage["operations"] == expected
        assert usage["operations"] == api.get("/local/v1/usage")["account"]["operations"]
        board.did(api, "particle.disconnect(graceful=True)")
        assert wait_for(lambda: not api.device(device)["online"], LIMIT)
        assert api.usage(device)["operations"] == expected + 1
        if transport == "udp":
            assert wait_for(lambda: agreed(api.usage(device), relay), LIMIT), relay.bytes()
        else:
            # the key registration of the first start is not on this port
            (passed,) = relay.passed
            assert wait_for(lambda: stream(api.usage(device)) == passed, LIMIT), passed
    finally:
        board.stop()
        relay.close()
        cloud.stop()


def stream(usage):
    """Return the bytes of the stream in the relay's form."""
    return {"up": usage["segment_up"], "down": usage["segment_down"]}
