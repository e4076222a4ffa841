"""One command makes a device of a board, again changes nothing, and can be cut anywhere."""

import json
import subprocess
import sys

import pexpect

from particle_tools.local import wait_for
from particle_tools.provisioning.link import Board
from particle_tools.provisioning.registry import Registry, is_loopback
from particle_tools.provisioning.steps import Order, Provisioner
from particle_tools.sim import image

CONNECT = "import particle; particle.connect(30); print(particle.publish('up', 'x', ack=True))"
NVS_BOARD = """
NAME = "UNIX_SIM"
PLATFORM_ID = 3
NET = "host"
TRANSPORT = "udp"
STORE = "nvs"
DNS = None
"""
WIFI_BOARD = NVS_BOARD.replace('"host"', '"wifi"')
REAL_BOARD = WIFI_BOARD.replace("UNIX_SIM", "PICO_W")
AIR = {"networks": [{"ssid": "home", "password": "correct horse", "rssi": -50}]}


def connected(board, then=""):
    """Connect with unmodified mpremote, after a soft reset of the board; then: more to run."""
    argv = [sys.executable, "-m", "mpremote", "connect", board.port, "exec", CONNECT + then]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return "Publish up" in done.stdout and "sent" in done.stdout, done.stdout + done.stderr


def test_a_new_board_becomes_a_device(blank, provision, api, cloud, other):
    board = blank()
    status, report, _ = provision("--port", board.port, "--name", "pump", "--product-version", 3)
    assert status == 0 and report["ok"] and report["transport"] == "udp"
    assert report["id_from"] == "machine.unique_id"
    assert report["changed"] == ["device key", "registration", "name", "server key", "settings"]
    device = api.device(report["device_id"])
    assert (device["name"], device["online"]) == ("pump", False)
    good, text = connected(board)
    assert good, text
    assert wait_for(lambda: api.device(report["device_id"])["online"], 30)

    # the same again: nothing is written, neither here nor there
    before = board.flash_counts()
    status, again, _ = provision("--port", board.port, "--name", "pump", "--product-version", 3)
    assert (status, again["changed"]) == (0, [])
    assert again["public_key"] == report["public_key"]
    assert board.flash_counts() == before
    argv = [sys.executable, "-m", "particle_tools", "provision", "--port", board.port]
    argv += ["--cloud", cloud.url, "--user", cloud.user]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert "changed    nothing: the board was ready" in done.stdout and done.stderr == ""

    # into a product, and not to somebody else
    made = api.post("/local/v1/products", name="pumps", platform_id=3, id=20123)["product"]
    status, report, _ = provision("--port", board.port, "--product", made["id"])
    assert status == 0 and report["changed"] == ["product", "settings"]
    assert provision("--port", board.port, "--product", made["id"])[1]["changed"] == []
    status, report, err = provision("--port", board.port, "--product", 4711)
    assert status == 1 and "4711" in report["error"] and len(err.splitlines()) == 1
    assert err.startswith("particle-mp provision: cloud: ")
    status, report, _ = provision("--port", board.port, user=other)
    assert (status, report["stage"]) == (1, "cloud")
    assert "belongs to someone else" in report["error"]


def test_killed_while_the_board_makes_its_key(blank, provision, cloud):
    """An RSA key, for the other transport, takes a while; a terminal shows how far it is."""
    board = blank()
    argv = ["-m", "particle_tools", "provision", "--port", board.port, "--transport", "tcp"]
    argv += ["--cloud", cloud.url, "--user", cloud.user]
    child = pexpect.spawn(sys.executable, argv, timeout=60)
    child.expect(r"device key: \d+ %")
    child.kill(9)
    child.wait()
    child.close()
    assert provision("--port", board.port, "--transport", "tcp")[0] == 0
    good, text = connected(board)
    assert good, text
    assert provision("--port", board.port)[1]["changed"] == []


class Killed(BaseException):
    """As if the process were gone."""


def test_cut_before_every_step(blank, cloud, api):
    """What the first attempts did is kept, and the last one finds it."""
    registry = Registry(cloud.url)
    registry.use(api._token)
    board = blank()
    order = Order(networks=[{"ssid": b"home", "password": b"correct horse"}])
    changed = []
    for stage in ("looking", "device key", "registration", "wifi", "settings", None):

        def show(_, text):
            if stage and text.startswith(stage):  # noqa: B023
                raise Killed

        try:
            report = Provisioner(registry, show).run(board.port, order)
        except Killed:
            continue
        changed = report["changed"]
    assert changed == ["server key", "settings"]
    assert len(api.device(report["device_id"])["id"]) == 24


def test_the_power_of_the_board_fails(blank, provision):
    """Wherever it does, the same command goes on; a key that was made is never made again."""
    board = blank()
    board.sim.close()
    words = ("--wifi", "home:correct horse")
    keys = []
    for cut in (3, 6, 64):  # of 15 operations without a cut
        board.switch_on("--cut", f"{cut}:half")
        status, report, _ = provision("--port", board.port, *words)
        if status:
            assert report["stage"] == "port" and board.sim.wait() == 80
        board.sim.close()
        key = image.read(board.flash, "/pt/device.ec.der")
        keys += [key] if key else []
        if status == 0:
            break
    assert status == 0 and cut == 64 and len(set(keys)) == 1
    board.switch_on()
    assert provision("--port", board.port, *words)[1]["changed"] == []
    good, text = connected(board)
    assert good, text


def test_a_board_without_files(blank, provision):
    """Its profile says NVS: keys and settings are there, and the client finds them by itself."""
    board = blank({"/particle_board.py": REAL_BOARD})
    # a real board cannot dial this machine
    status, report, err = provision("--port", board.port)
    assert status == 1 and report["stage"] == "server" and "--lan" in report["error"]
    assert len(err.splitlines()) == 1
    assert b"device" not in (board.path / "nvs.json").read_bytes()
    status, report, _ = provision("--port", board.port, "--server", "192.0.2.7")
    assert status == 0 and report["server"] == "192.0.2.7"
    assert ["--lan" in n or "--wifi" in n for n in report["notes"]] == [True, True]
    # the simulated one can
    with Board(board.port) as link:
        link.write_file("/flash/particle_board.py", WIFI_BOARD.encode())
    status, report, err = provision("--port", board.port, "--wifi", "home:correct horse")
    assert status == 0, err
    # it joins and connects with what it was told, and nothing else
    (board.path / "radio.json").write_text(json.dumps(AIR))
    good, text = connected(board, "; print(particle.wifi)")
    assert good and "<Wifi b'home' 192.168.4.2" in text, text
    board.sim.close()
    assert b"device.ec.der" in (board.path / "nvs.json").read_bytes()
    assert image.open_image(board.flash).listdir("/") == ["boot.py", "particle_board.py"]


def test_what_is_this_machine_only():
    for host in (
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
    ):
        assert is_loopback(host), host
    for host in ("192.168.1.20", "10.0.0.1", "fe80::1", "x" * 300):
        assert not is_loopback(host), host


FAT = """
import vfs
class Medium:
    data = bytearray(64 * 512)
    def readblocks(self, n, buf):
        buf[:] = self.data[n * 512 : n * 512 + len(buf)]
    def writeblocks(self, n, buf):
        self.data[n * 512 : n * 512 + len(buf)] = buf
    def ioctl(self, op, arg):
        return 64 if op == 4 else 512 if op == 5 else 0
medium = Medium()
vfs.VfsFat.mkfs(medium)
vfs.mount(vfs.VfsFat(medium), "/fat")
"""


def test_no_keys_on_fat(blank, provision, api):
    known = len(api.get("/v1/devices"))
    profile = NVS_BOARD.replace('STORE = "nvs"', 'STORE_ROOT = "/fat/pt"')
    board = blank({"/boot.py": FAT, "/particle_board.py": profile})
    status, report, _ = provision("--port", board.port)
    assert status == 1 and report["stage"] == "store"
    assert "FAT" in report["error"] and "littlefs" in report["error"]
    assert len(api.get("/v1/devices")) == known


def test_damaged_files_of_a_board(blank, provision):
    config = '{"v": 1, "transport": "ftp", "device_id": "1", "port": "x", "server": "y"}'
    board = blank({"/pt/config.json": config, "/pt/wifi": "PT"})
    status, report, _ = provision("--port", board.port)
    assert status == 1 and report["stage"] == "id" and "24 hex digits" in report["error"]
    with Board(board.port) as link:
        link.write_file("/flash/pt/config.json", b"{")
        link.write_file("/flash/pt/device.ec.der", b"no key")
    status, report, _ = provision("--port", board.port, "--server", "fe80::1")
    assert status == 1 and "IPv4" in report["error"]
    status, report, _ = provision("--port", board.port)
    assert status == 1 and report["stage"] == "device key" and "remove" in report["error"]
    status, report, _ = provision("--port", board.port, "--new-key")
    assert status == 0 and {"device key", "settings"} <= set(report["changed"])
    assert any("wifi is damaged" in note for note in report["notes"])
    status, report, _ = provision("--port", board.port, "--wifi", "home:correct horse")
    assert status == 0 and report["changed"] == ["wifi home"]
    assert provision("--port", board.port)[1]["notes"] == []
    # what a newer version wrote is kept, and nothing is done
    newer = b"PT\x02\x02\x01\0x0000"
    with Board(board.port) as link:
        link.write_file("/flash/pt/wifi", newer)
    status, report, _ = provision("--port", board.port, "--wifi", "home:correct horse")
    assert status == 1 and report["stage"] == "store" and "newer version" in report["error"]
    board.sim.close()
    assert image.read(board.flash, "/pt/wifi") == newer
