"""A client keeps its files where the profile of its board says, and nowhere else."""

import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

import ram_flash  # noqa: F401  the flash of a profile below
from particle.client import Cloud
from particle.errors import ConfigError, Error
from particle.store.container import Store
from particle.store.networks import Networks
from particle.store.place import open_store
from ram_nvs import NVS
from support import folder, raises

if NVS:
    from ram_nvs import Nvs as RamNvs


class Board:
    """A profile."""

    PLATFORM_ID = 3
    TRANSPORT = "udp"


def kept_by(board):
    """Store a setting with one client, and check that the next one has it."""
    before = sorted(os.listdir())
    cloud = Cloud(board=board)
    cloud.config(server="192.168.1.20", product_id=77)
    again = Cloud(board=board)
    assert again.config("server") == "192.168.1.20" and again.config("product_id") == 77
    assert sorted(os.listdir()) == before
    return cloud, open_store(board)


def test_files():
    class Files(Board):
        STORE_ROOT = folder("files")

    cloud, store = kept_by(Files)
    assert os.listdir(Files.STORE_ROOT) == ["config.json"]
    assert type(cloud._store) is Store


def test_raw_flash():
    sys.modules["ram_flash_part"] = sys.modules["ram_flash"]
    try:

        class Paired(Board):
            STORE = "pair"
            STORE_DEVICE = ("ram_flash_part", "RamFlash", (), {"data": {}})

        cloud, store = kept_by(Paired)
        assert b"192.168.1.20" in store.read("config.json")
        # Wi-Fi, keys and settings are in one store: two would write over each other
        cloud.wifi._networks.add("home", "Geheim77")
        cloud.config(port=5684)
        assert [n.ssid for n in Networks(open_store(Paired))] == [b"home"]
        e = raises(Error, lambda: cloud.publish("a", persist=True))
        assert e.errno == -120 and "folder" in str(e)
    finally:
        del sys.modules["ram_flash_part"]


if NVS:

    def test_nvs():
        content = {}

        class Esp32:
            @staticmethod
            def NVS(name):
                assert name == "pt"
                return RamNvs(content)

        class InNvs(Board):
            STORE = "nvs"

        before = sys.modules.get("esp32")
        sys.modules["esp32"] = Esp32
        try:
            kept_by(InNvs)
        finally:
            del sys.modules["esp32"]
            if before:
                sys.modules["esp32"] = before
        assert "config.json0" in content or "config.json1" in content


def test_given_store_wins():
    class Nowhere(Board):
        STORE = "nvs"

    store = Store(folder("given"))
    Cloud(board=Nowhere, store=store).config(server="device.example")
    assert b"device.example" in store.read("config.json")


if sys.implementation.name == "cpython":  # where a module can be made missing

    def test_place_that_is_not_installed():
        class Paired(Board):
            STORE = "pair"

        class Files(Board):
            STORE_ROOT = folder("alone")

        here = sys.modules["particle.store.place"]
        sys.modules["particle.store.place"] = None
        try:
            assert "component networks" in str(raises(ImportError, lambda: Cloud(board=Paired)))
            assert type(Cloud(board=Files)._store) is Store
            # the core alone
            optional = sys.modules["particle.optional"]
            sys.modules["particle.optional"] = None
            try:
                assert "component repl" in str(raises(AttributeError, lambda: Cloud(board=Paired)))
                assert type(Cloud(board=Files)._store) is Store
            finally:
                sys.modules["particle.optional"] = optional
        finally:
            sys.modules["particle.store.place"] = here


if vfs and hasattr(vfs, "VfsFat"):

    def test_fat_is_refused():
        class Blocks:
            """A medium of sectors that forgets nothing."""

            data = bytearray(64 * 512)

            def readblocks(self, block, buf):
                buf[:] = self.data[block * 512 : block * 512 + len(buf)]

            def writeblocks(self, block, buf):
                self.data[block * 512 : block * 512 + len(buf)] = buf

            def ioctl(self, op, arg):
                return 64 if op == 4 else 512 if op == 5 else 0

        class Fat(Board):
            STORE_ROOT = "/fat/pt"

        medium = Blocks()
        vfs.VfsFat.mkfs(medium)
        vfs.mount(vfs.VfsFat(medium), "/fat")
        try:
            e = raises(ConfigError, lambda: Cloud(board=Fat))
            assert e.stage == "store" and "littlefs" in str(e)
            assert os.listdir("/fat") == []
        finally:
            vfs.umount("/fat")
