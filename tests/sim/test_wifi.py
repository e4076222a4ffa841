"""Wi-Fi on the simulated board: what is in radio.json decides, also while it runs."""

import json

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
    assert lines[0] == "link -130 <Wifi: b'Home': wrong password>"
