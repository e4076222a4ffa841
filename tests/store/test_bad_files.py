"""Every record on every back end, damaged, cut, of a newer version, or on a flash that fails."""

try:
    import vfs
except ImportError:
    vfs = None

from particle.client import Cloud
from particle.errors import ConfigError, Error
from particle.store import access
from particle.store.container import pack
from particle.store.enterprise import certificates
from particle.store.keygen import make, public
from particle.store.networks import Networks
from ram_flash import RamFlash, mount, umount
from store_places import places
from support import known, raises, rng

NAMES = {1: "session", 2: "wifi", 3: "cell", 4: "claim", 5: "usage", 6: "queue", 7: "retained"}
PASSWORD = "correct horse"


def wrong(whole):
    """Yield (what it is, a file that is not `whole`)."""
    yield "empty", b""
    for n in (1, 3, 6, len(whole) - 1):
        yield "cut", whole[:n]
    for at in range(0, len(whole), 5):
        yield "damaged", whole[:at] + bytes((whole[at] ^ 4,)) + whole[at + 1 :]
    yield "longer", whole + b"\0"
    yield "another kind", pack(1 if whole[2] != 1 else 2, whole[6:-4])
    yield "newer", whole[:3] + b"\2" + whole[4:]


def test_every_kind_of_record():
    for where, store, again in places("kinds"):
        if where == "sealed":
            continue  # what lies beneath is one of the others
        for kind in NAMES:
            store.put(kind, b"payload")
            for what, data in wrong(pack(kind, b"payload")):
                store.write(NAMES[kind], data)
                s = again()
                if data[3:4] == b"\2" and data[:2] == b"PT":
                    what = "newer"
                e = raises(Error, s.get, kind)
                assert e.errno == -280 and e.stage == "store", (where, what)
                assert NAMES[kind] in e.text, (where, what)
                if what == "newer":
                    assert type(e) is ConfigError and "newer" in e.text
                    raises(ConfigError, s.put, kind, b"other")
                    assert s.read(NAMES[kind]) == data
                    s.erase(kind)
                    assert s.get(kind) is None
                else:
                    s.put(kind, b"other")
                    assert again().get(kind) == b"other"
                store = s


def test_access_point_and_claim_code():
    for where, store, _ in places("access files"):
        if where == "sealed":
            continue
        access.set_access_point(store, "internet", "user", PASSWORD)
        access.set_claim_code(store, "c" * 63)
        for name, read, write in (
            ("cell", access.access_point, lambda s: access.set_access_point(s, "other")),
            ("cell", access.access_point_login, lambda s: access.set_access_point(s, "other")),
            ("claim", access.claim_code, lambda s: access.set_claim_code(s, "d" * 63)),
        ):
            whole = store.read(name)
            for what, data in wrong(whole):
                store.write(name, data)
                e = raises(Error, read, store)
                assert e.stage == "store" and PASSWORD not in str(e), (where, what)
                if type(e) is ConfigError:
                    raises(ConfigError, write, store)
                else:
                    write(store)
                    assert read(store)
                store.write(name, whole)


def test_certificates():
    for where, store, _ in places("eap files"):
        if where == "sealed":
            continue
        networks = Networks(store)
        networks.add("home", PASSWORD)
        networks.add("corp", eap="tls", client_cert=b"CERT" * 9, private_key=b"SECRET")
        corp = known(networks, "corp")
        whole = store.read("wifi.eap0")
        short = pack(2, b"\x05\x00")
        for what, data in list(wrong(whole)) + [("short", short), ("short", pack(2, b"\x01"))]:
            store.write("wifi.eap0", data)
            e = raises(Error, certificates, store, corp)
            assert e.errno == -280 and e.stage == "store", (where, what)
            assert "SECRET" not in str(e)
        store.remove("wifi.eap0")
        raises(Error, certificates, store, corp)
        # the other networks are not concerned, and it can be set again
        assert networks.password("home") == PASSWORD.encode()
        networks.add("corp", eap="tls", client_cert=b"CERT", private_key=b"SECRET")
        assert certificates(store, known(networks, "corp"))["private_key"] == b"SECRET"


def test_settings():
    class Board:
        PLATFORM_ID = 3
        TRANSPORT = "udp"

    for where, store, _ in places("settings"):
        for data in (
            b"",
            b"{",
            b"[]",
            b"5",
            b'"v"',
            b"\xff\xfe",
            b'{"v": 2}',
            b'{"v": "1"}',
            b"{}",
        ):
            store.write("config.json", data)
            e = raises(ConfigError, lambda: Cloud(board=Board, store=store))  # noqa: B023
            assert e.stage == "store" and "provision" in e.text, (where, data)
            assert store.read("config.json") == data


class Failing(RamFlash):
    """A flash on which nothing can be changed any more."""

    worn = False

    def writeblocks(self, block, buf, offset=0):
        """Program, or fail."""
        if self.worn:
            raise OSError(5)
        super().writeblocks(block, buf, offset)

    def ioctl(self, op, arg):
        """Erase, or fail."""
        if self.worn and op == 6:
            raise OSError(5)
        return super().ioctl(op, arg)


if vfs and hasattr(vfs, "VfsLfs2"):

    def test_worn_out_flash_below_littlefs():
        from particle.store.container import Store

        class Board:
            PLATFORM_ID = 3
            TRANSPORT = "udp"

        flash = Failing()
        mount(flash)
        try:
            store = Store("/cut/pt")
            networks = Networks(store)
            networks.add("home", PASSWORD)
            store.put(1, b"session")
            cloud = Cloud(board=Board, store=store)
            cloud.config(server="device.example")
            flash.worn = True
            for act in (
                lambda: networks.add("other", PASSWORD),
                lambda: networks.option("antenna", b"\1"),
                lambda: networks.clear(),
                lambda: access.set_claim_code(store, "c" * 63),
                lambda: access.set_access_point(store, "internet"),
                lambda: list(make(store, "udp", rng(5))),
                lambda: store.put(1, b"another"),
                lambda: store.remove("config.json"),
                lambda: cloud.config(server="other.example"),
            ):
                e = raises(Error, act)
                assert e.errno == -225 and e.stage == "store" and PASSWORD not in str(e)
                assert "cannot" in e.text
            flash.worn = False
            assert [n.ssid for n in networks] == [b"home"] and store.get(1) == b"session"
            assert public(store, "udp") is None and access.claim_code(store) is None
            assert cloud.config("server") == "device.example"
            assert b"device.example" in store.read("config.json")
            networks.add("other", PASSWORD)
            assert len(networks) == 2
        finally:
            umount()


def test_storage_that_does_not_commit():
    for where, store, again in places("commit"):
        if where != "nvs":
            continue
        Networks(store).add("home", PASSWORD)

        def fail():
            raise OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")

        store._nvs.commit = fail
        e = raises(Error, Networks(store).add, "other", PASSWORD)
        assert e.errno == -225 and "NOT_ENOUGH" in str(e) and PASSWORD not in str(e)
        raises(Error, store.remove, "wifi")
        del store._nvs.commit
        assert len(Networks(again())) in (0, 1, 2)  # whole, whichever
