"""What the board serves at the address of its access point is on the host's loopback."""

import errno
import json
import socket

import ports

PROGRAM = """
    import network
    import socket

    ap = network.WLAN(network.AP_IF)
    ap.active(True)
    ap.ifconfig(("192.168.0.1", "255.255.255.0", "192.168.0.1", "192.168.0.1"))

    def bound(kind):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(socket.getaddrinfo("192.168.0.1", 80)[0][-1])
        return s

    s = bound(socket.SOCK_STREAM)
    s.listen(1)
    print("listens")
    visitor, _ = s.accept()
    visitor.send(visitor.recv(5))
    visitor.close()
    s.close()
    ap.active(False)
    try:
        bound(socket.SOCK_STREAM)
    except OSError as e:
        print("off", e.errno)
"""


def test_it_is_where_radio_json_says(bench):
    board = bench.board()
    port = ports.take()
    air = {"ap": {"address": "127.0.0.1", "ports": {"80": port}}}
    (board.path / "radio.json").write_text(json.dumps(air))
    sim = bench.start(board, PROGRAM)
    sim.wait_for("listens")
    with socket.create_connection(("127.0.0.1", port), 30) as s:
        s.sendall(b"hello")
        assert s.recv(5) == b"hello"
    # the address is gone with the access point: a host has none such
    assert sim.wait_for("off") == f"off {errno.EADDRNOTAVAIL}"
    assert sim.wait() == 0
