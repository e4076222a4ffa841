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
