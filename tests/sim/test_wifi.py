"""Wi-Fi on the simulated board: what is in radio.json decides, also while it runs."""

import contextlib
import json

from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

_JOIN = """
import particle
wifi = particle.wifi
if not wifi.has_credentials():
    wifi.set_credentials("Home", "correct horse")
    wifi.set_credentials(b"caf\\xe9", "12345678")
try:
    wifi.connect(40)
    print(wifi, particle.interface)
except particle.Error as e:
    print(e.stage, e.errno, wifi)
print(wifi.credentials())
"""


def test_networks_come_and_go(bench):
    board = bench.board()
    air = {"networks": [{"ssid": "Home", "password": "correct horse", "rssi": -50}]}
    (board.path / "radio.json").write_text(json.dumps(air))
    status, lines = bench.run(board, _JOIN, "--time-scale", "10")
    assert status == 0
    assert lines[0] == "<Wifi b'Home' 192.168.4.2 -50 dBm> wifi"
    assert lines[1] == "[<Network b'Home' any security>, <Network b'caf\\xe9' any security>]"
    # another boot, with another password at the access point
    air["networks"][0]["password"] = "changed"
    (board.path / "radio.json").write_text(json.dumps(air | {"port": "rp2"}))
    status, lines = bench.run(board, _JOIN, "--time-scale", "10")
    assert status == 0
    assert lines[0] == "link -130 <Wifi: Home: wrong password>"


_ROAM = """
import particle, time
particle.wifi.set_credentials("Home", "correct horse")
particle.wifi.connect(60)
particle.connect(60)
while True:
    particle.publish("wifi/up", repr(particle.wifi))
    while particle.connected():
        particle.process()
        time.sleep_ms(10)
    print("lost:", particle.wifi)
    while not particle.connected():
        particle.process()
        time.sleep_ms(10)
"""


def test_the_cloud_is_reached_over_it_and_again_after_it_was_gone(tmp_path):
    air = json.dumps({"networks": [{"ssid": "Home", "password": "correct horse"}]})
    (tmp_path / "board").mkdir()
    radio = tmp_path / "board" / "radio.json"
    radio.write_text(air)
    script = tmp_path / "program.py"
    script.write_text(_ROAM)
    with contextlib.ExitStack() as stack:
        cloud = LocalCloud(tmp_path / "cloud")
        stack.callback(cloud.stop)
        events = stack.enter_context(contextlib.closing(cloud.api().events()))
        board = SimulatedBoard(tmp_path / "board", cloud, script=script, transport="udp")
        stack.callback(board.stop)
        assert events.wait("wifi/up", 40)["data"].startswith("<Wifi b'Home'")
        radio.write_text("{}")
        assert wait_for(lambda: "lost: <Wifi" in board.output(), 30)
        radio.write_text(air)
        assert events.wait("wifi/up", 40)["data"].startswith("<Wifi b'Home'")
