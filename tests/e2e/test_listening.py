"""Listening mode of boards that a cloud knows: off, set up at the serial port, online again."""

import json

from sim.terminal import Terminal

_ONLINE = """
import particle
particle.wifi.connect(120)
particle.connect(60)
particle.publish("online", str(particle.wifi.listening()) + " " + particle.interface)
particle.run()
"""


def test_a_board_leaves_the_cloud_and_comes_back(desk, api, events):
    board = desk.remote("particle.wifi.listen_timeout = 1", transport="udp")
    assert events.wait("spark/status", 30)["data"] == "online"
    with desk.may_listen():
        for listen in ("particle.wifi.listen()", "particle.setup.start()"):
            assert api.call(board.device_id, "do", listen) > 0
            assert events.wait("spark/status", 30)["data"] == "offline"
            board.said(f"did {listen} = None")
            assert events.wait("spark/status", 60)["data"] == "online"
    assert board.did(api, "particle.wifi.listening()") == "= False"


def test_a_network_that_is_typed_brings_it_online(desk, events, tmp_path):
    (tmp_path / "blank").mkdir()
    home = {"ssid": "HomeWiFi", "password": "correct horse"}
    air = {"networks": [home], "scan_ms": 50, "join_ms": 20, "address_ms": 20}
    (tmp_path / "blank" / "radio.json").write_text(json.dumps(air))
    with desk.may_listen():
        board = desk.board(_ONLINE, "blank", transport="udp", pty=True)
        t = Terminal(board.serial)
        try:
            t.listens()
            t.answers(b"w", b"SSID: ")
            t.answers(b"HomeWiFi\n", b"HomeWiFi\r\nPassword: ")
            # wrong: the board tries it, and listens again
            t.type(b"wrong horse\n")
            t.finds(rb"<3 you!\r\n\r\n")
            t.finds(rb"wrong password")
            t.listens()
            t.answers(b"w", b"SSID: ")
            t.answers(b"HomeWiFi\n", b"HomeWiFi\r\nPassword: ")
            t.type(b"correct horse\n")
            t.finds(rb"<3 you!\r\n\r\n")
            assert events.wait("online", 60)["data"] == "False wifi"
        finally:
            t.close()


_AGAIN = """
import particle
particle.function("listen", lambda text: particle.setup.start())
particle.connect(120)
particle.publish("up")
particle.run()
"""


def test_safe_mode_that_listens(desk, api, events):
    with desk.may_listen():
        board = desk.board(_AGAIN, transport="udp", pty=True)
        t = Terminal(board.serial)
        try:
            events.wait("up", 60)
            api.call(board.device_id, "listen", "")
            t.listens()
            t.type(b"L")
            # it listens first, and connects when it is let go
            t.finds(rb"safe mode: [^\n]*\n")
            t.listens()
            t.type(b"x")
            events.wait("spark/status/safe-mode", 60)
        finally:
            t.close()
