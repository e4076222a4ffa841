"""What the cloud says a board has used is what a relay between the two has counted (UDP)."""

from e2e.desk import LIMIT, REMOTE, Board
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
            return wait_for(lambda: agreed(api.usage(device), relay), 10)

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
