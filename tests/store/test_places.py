"""Every back end keeps files; what is damaged, newer, worn out or on FAT is told and kept."""

import os
import struct
import sys
from binascii import crc32

try:
    import vfs
except ImportError:
    vfs = None

from particle.errors import ConfigError, Error
from particle.store import access
from particle.store.container import Store
from particle.store.networks import Networks
from particle.store.nvs import Nvs
from particle.store.pair import Pair
from particle.store.place import open_store, refuse_fat
from particle.store.sealed import Sealed
from ram_flash import BLOCK, RamFlash
from ram_nvs import NVS
from store_places import KEY, places
from support import folder, raises, rng

if NVS:
    from ram_nvs import Nvs as RamNvs

FILES = {"config.json": b"{}", "device.ec.der": bytes(range(121)), "wifi.eap0": b"e" * 1900}


class Worn(RamFlash):
    """A flash that programs nothing any more, and says so or not."""

    error = True
    worn = False

    def writeblocks(self, block, buf, offset=0):
        if not self.worn:
            super().writeblocks(block, buf, offset)
        elif self.error:
            raise OSError(5)


def test_files():
    for where, store, again in places("files"):
        for name in FILES:
            assert store.read(name) is None
            store.write(name, b"old")
            store.write(name, FILES[name])
        store.put(1, b"session" * 30)
        for s in (store, again()):
            for name in FILES:
                assert s.read(name) == FILES[name], where
            assert s.get(1) == b"session" * 30
        store.remove("config.json")
        store.remove("config.json")
        store.erase(1)
        s = again()
        assert s.read("config.json") is None and s.get(1) is None
        assert s.read("device.ec.der") == FILES["device.ec.der"]
        store.write("empty", b"")
        assert again().read("empty") == b""


def test_pair_has_room_for_its_blocks_only():
    flash = RamFlash()
    store = Pair(flash, 3, 2)
    most = 2 * BLOCK - 256 - 4
    store.write("a", bytes(most))
    e = raises(Error, store.write, "b", b"x")
    assert e.errno == -225 and e.stage == "store"
    assert Pair(flash, 3, 2).read("a") == bytes(most)
    raises(Error, store.write, "a", bytes(most + 1))
    assert set(flash.data) <= {3, 4, 5, 6}
    store.write("a", b"1")
    store.write("b", b"x")
    assert Pair(flash, 3, 2).read("b") == b"x"


def test_pair_takes_the_whole_area():
    flash = RamFlash()
    store = Pair(flash)
    store.write("a", b"1" * 300)
    store.write("a", b"2" * 300)
    for block in range(2):
        for at in range(0, 600, 5):
            other = RamFlash({b: bytearray(flash.data[b]) for b in flash.data})
            other.data[block][at] ^= 4
            old = block == store._area and (at < 24 or at >= 256)
            if at < 560:
                assert Pair(other).read("a") == (b"1" if old else b"2") * 300
    for block in range(2):
        flash.data[block][0:600] = bytes(600)
    assert Pair(flash).read("a") is None


def test_pair_of_a_newer_version_is_kept():
    flash = RamFlash()
    head = struct.pack("<6sBBIII", b"PTpair", 2, 0, 9, 0, 0)
    flash.writeblocks(0, head + struct.pack("<I", crc32(head)))
    assert "newer" in str(raises(ConfigError, Pair, flash))


def test_worn_out_flash():
    for error in (True, False):
        flash = Worn()
        store = Pair(flash)
        Networks(store).add("a", "12345678")
        flash.error = error
        flash.worn = True
        e = raises(Error, Networks(store).add, "b", "12345678")
        assert e.errno == -225 and e.stage == "store" and "12345678" not in str(e)
        for s in (store, Pair(flash)):
            assert [n.ssid for n in Networks(s)] == [b"a"]
        flash.worn = False
        Networks(store).add("b", "12345678")
        assert len(Networks(Pair(flash))) == 2
    flash.readblocks = lambda *_: raise_eio()
    assert raises(Error, Pair, flash).errno == -225
    assert raises(Error, store.read, "wifi").errno == -225


def raise_eio():
    raise OSError(5)


if NVS:

    def test_nvs_is_as_documented():
        nvs = RamNvs()
        buf = bytearray(4)
        for e, call in (
            (-0x1102, lambda: nvs.get_blob("none", buf)),
            (-0x1102, lambda: nvs.get_i32("none")),
            (-0x1102, lambda: nvs.erase_key("none")),
            (-0x1109, lambda: nvs.set_blob("sixteen_letters_", b"")),
            (-0x1106, lambda: nvs.set_i32("", 1)),
            (-0x110E, lambda: nvs.set_blob("a", bytes(11991))),
        ):
            assert raises(OSError, call).args[0] == e
        nvs.set_blob("fifteen_letters", b"12345")
        assert raises(OSError, nvs.get_blob, "fifteen_letters", buf).args[0] == -0x110C
        assert nvs.get_blob("fifteen_letters", bytearray(9)) == 5
        assert raises(OSError, nvs.get_i32, "fifteen_letters").args[0] == -0x1102
        nvs.set_i32("n", -5)
        assert nvs.get_i32("n") == -5
        raises(OverflowError, nvs.set_i32, "n", 1 << 31)
        nvs.commit()
        nvs.set_blob("a", bytes(8000))
        assert raises(OSError, nvs.set_blob, "b", bytes(8000)).args[0] == -0x1105

    def test_full_nvs_and_long_names():
        store = Nvs(RamNvs())
        store.write("a", bytes(8000))
        e = raises(Error, store.write, "b", bytes(8000))
        assert e.errno == -225 and "NOT_ENOUGH" in str(e)
        assert store.read("a") == bytes(8000) and store.read("b") is None
        assert raises(Error, store.write, "fifteen_letters", b"").errno == -226

    def test_nvs_takes_whole_blobs():
        values = {}
        store = Nvs(RamNvs(values))
        store.write("a", b"old")
        store.write("a", b"new")
        for key in ("a0", "a1"):
            for i in range(0, 22, 2):
                damaged = dict(values)
                damaged[key] = damaged[key][:i]
                newest = key == ("a0" if store._slots("a")[0] == 0 else "a1")
                assert Nvs(RamNvs(damaged)).read("a") == (b"old" if newest else b"new")


def test_sealed_is_not_readable():
    place = Store(folder("sealed"))
    Networks(Store(place.root)).add("old", "in clear")
    store = Sealed(place, KEY, rng())
    assert Networks(store).password("old") == b"in clear"
    Networks(store).add("home", "Geheim77", identity="me", ca_cert="Geheim78")
    for name in ("wifi", "wifi.eap0"):
        data = place.read(name)
        assert b"home" not in data and b"clear" not in data and b"Geheim" not in data
    e = raises(Error, list, Networks(place))
    assert "key" in str(e) and e.errno == -280
    other = Sealed(place, bytes(16), rng(3))
    assert "another board" in str(raises(Error, list, Networks(other)))
    raises(Error, other.read, "wifi.eap0")
    raises(ValueError, Sealed, place, bytes(15), rng())
    # a nonce is used once: what is stored again looks different
    stored = set()
    for _ in range(3):
        store.put(2, store.get(2))
        store.write("wifi.eap0", store.read("wifi.eap0"))
        stored.update((place.get(2), place.read("wifi.eap0")))
    assert len(stored) == 6 and len({data[1:13] for data in stored}) == 6
    # without the key it is not replaced either
    raises(Error, Networks(place).add, "b", "12345678")
    assert Networks(store).password("home") == b"Geheim77"


def test_access_point_and_claim():
    for _, store, again in places("access"):
        assert access.access_point(store) is None and access.claim_code(store) is None
        access.set_access_point(store, "internet", "user", "Geheim77")
        access.set_claim_code(store, "c" * 63)
        s = again()
        assert access.access_point(s) == "internet"
        assert access.access_point_login(s) == (b"user", b"Geheim77")
        assert access.claim_code(s) == "c" * 63 and len(s.get(4)) == 63
        access.set_claim_code(store, None)
        assert access.claim_code(again()) is None
        access.set_access_point(store, None)
        assert access.access_point(again()) is None
        for code in ("c" * 62, "c" * 64, "", 5):
            e = raises(ValueError, access.set_claim_code, store, code)
            assert "63" in str(e) and "ccc" not in str(e)
        raises(ValueError, access.set_access_point, store, "")
        store.put(3, b"\x09bad")
        assert raises(Error, access.access_point, store).errno == -280


class Board:
    """A profile."""

    STORE = "littlefs"
    STORE_ROOT = "build/pt"


class Key:
    """A module with the key of the board."""

    @staticmethod
    def key():
        return KEY


def test_profiles():
    assert open_store(Board).root == "build/pt"
    sys.modules["ram_flash_part"] = sys.modules["ram_flash"]
    sys.modules["board_key"] = Key
    try:

        class Paired:
            STORE = "pair"
            STORE_DEVICE = ("ram_flash_part", "RamFlash", (), {"data": {}})
            STORE_KEY = "board_key"

        store = open_store(Paired)
        Networks(store).add("home", "Geheim77")
        blocks = Paired.STORE_DEVICE[3]["data"]
        assert len(blocks) and all(b"home" not in bytes(blocks[b]) for b in blocks)
        again = open_store(Paired)
        assert isinstance(again, Sealed) and len(Networks(again)) == 1
    finally:
        del sys.modules["ram_flash_part"]
        del sys.modules["board_key"]


if vfs and hasattr(vfs, "VfsFat"):

    class Sectors:
        """A medium of sectors."""

        def __init__(self):
            self._data = bytearray(64 * 512)

        def readblocks(self, block, buf):
            buf[:] = self._data[block * 512 : block * 512 + len(buf)]

        def writeblocks(self, block, buf):
            self._data[block * 512 : block * 512 + len(buf)] = buf

        def ioctl(self, op, arg):
            return 64 if op == 4 else 512 if op == 5 else 0

    def test_fat_is_refused_with_the_remedy():
        medium = Sectors()
        vfs.VfsFat.mkfs(medium)
        vfs.mount(vfs.VfsFat(medium), "/fat")
        try:

            class Fat:
                STORE_ROOT = "/fat/pt"

            e = raises(ConfigError, open_store, Fat)
            assert e.stage == "store" and "littlefs" in str(e) and "/fat/pt" in str(e)
            Fat.STORE_ROOT = "/fatter"
            open_store(Fat)
            # what is kept elsewhere is not concerned, wherever the program is
            here = os.getcwd()
            os.chdir("/fat")
            refuse_fat(Pair(RamFlash()).root)
            raises(ConfigError, refuse_fat, "pt")
            os.chdir(here)
        finally:
            vfs.umount("/fat")
