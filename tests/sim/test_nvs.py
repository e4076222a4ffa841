"""The simulated ESP32 storage outlives its interpreter, and the store in it too."""

_ADD = """
import esp32
from particle.store.networks import Networks
from particle.store.nvs import Nvs
store = Nvs()
networks = Networks(store)
print(len(networks))
networks.add(b"caf\\xe9", "correct horse", security=3)
esp32.NVS("other").set_i32("n", len(networks))
print(esp32.NVS("other").get_i32("n"), store.wear())
"""


def test_networks_in_nvs_survive_the_loss_of_power(bench):
    board = bench.board()
    status, lines = bench.run(board, _ADD)
    assert (status, lines) == (0, ["0", "1 1"])
    status, lines = bench.run(board, _ADD)
    assert (status, lines) == (0, ["1", "1 0"])
    assert {path.name for path in board.path.iterdir()} >= {"nvs.json", "flash.img"}


_CHANGE = """
from particle.store.networks import Networks
from particle.store.nvs import Nvs
networks = Networks(Nvs())
shown = [(bytes(n.ssid), networks.password(n.ssid)) for n in networks]
print(shown)
networks.add(b"a" if not shown else b"b", "correct horse" if not shown else "battery staple")
print("done")
"""


def test_the_power_fails_in_an_operation_on_nvs(bench):
    """Whatever is left of the key that was being written, the networks are old or new."""
    old = "[(b'a', b'correct horse')]"
    new = "[(b'b', b'battery staple'), (b'a', b'correct horse')]"
    board = bench.board()
    # the namespace, then the key; nothing of it is left
    assert bench.run(board, _CHANGE, "--cut", "2:half") == (80, ["[]"])
    assert bench.run(board, _CHANGE) == (0, ["[]", "done"])
    for tear in ("most", "all"):
        assert bench.run(board, _CHANGE, "--cut", f"1:{tear}") == (80, [old]), tear
    assert bench.run(board, _CHANGE)[1][0] == new
