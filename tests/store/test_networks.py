"""Networks are what was set, on every back end; bad input is refused and names no secret."""

import struct

from particle.errors import ConfigError, Error
from particle.store.container import pack
from particle.store.enterprise import certificates
from particle.store.networks import Networks, field
from store_places import places
from support import known, raises

PASSWORD = "correct horse"
ODD = b"\x00\"\xff'\n,;\\{}\t=\x80\xc3(<>|%s\r\x7f#`&"
ATTRIBUTES = "ssid security cipher hidden channel bssid static eap identity outer_identity".split()
ADDRESS = ("192.168.1.5", "255.255.255.0", "192.168.1.1", "9.9.9.9")


def names(networks):
    return [network.ssid for network in networks]


def test_what_was_set_is_read_after_a_restart():
    for where, store, again in places("set"):
        networks = Networks(store)
        assert len(networks) == 0 and list(networks) == []
        networks.add("Home", PASSWORD, security=3, cipher=1)
        networks.add(ODD, b"\x00" * 8, security=2, hidden=True, channel=11, static=ADDRESS)
        networks.add("open")
        networks.add("old", "12345", security=1)
        networks.add("psk", "0123456789abcdefABCDEF" + "0" * 42, bssid=b"\x02" * 6)
        networks = Networks(again())
        assert names(networks) == [b"psk", b"old", b"open", ODD, b"Home"], where
        home, odd = known(networks, "Home"), known(networks, ODD)
        assert (home.security, home.cipher, home.hidden, home.channel) == (3, 1, False, 0)
        assert home.static is None and home.bssid is None and home.eap == 0
        assert odd.static == ADDRESS and odd.hidden and odd.channel == 11
        assert known(networks, "open").security == 0 and known(networks, "psk").security == 255
        assert known(networks, "psk").bssid == b"\x02" * 6
        assert networks.password("Home") == PASSWORD.encode()
        assert networks.password(ODD) == bytes(8) and networks.password("open") is None
        assert known(networks, "nobody") is None and networks.password("nobody") is None


def test_order_and_the_eleventh():
    for _, store, _ in places("order"):
        networks = Networks(store)
        for i in range(10):
            assert networks.add("n%d" % i, PASSWORD) is None
        assert networks.add("n3", "another one") is None
        assert len(networks) == 10 and networks.password("n3") == b"another one"
        networks.used(b"n3")
        before = store.wear()
        networks.used(b"n3")
        networks.used(b"stranger")
        assert store.wear() == before and names(networks)[0] == b"n3"
        assert networks.add("eleventh", PASSWORD) == b"n0"
        assert len(networks) == 10
        assert names(networks)[:2] == [b"eleventh", b"n3"] and known(networks, "n0") is None
        assert networks.remove("n3") and not networks.remove("n3")
        networks.clear()
        assert len(networks) == 0


def test_a_change_is_one_write():
    for _, store, _ in places("writes"):
        networks = Networks(store)
        for verb, args, options in (
            (networks.add, ("a", PASSWORD), {}),
            (networks.add, ("b", PASSWORD), {"static": ADDRESS}),
            (networks.add, ("a", "another one"), {}),
            (networks.used, (b"a",), {}),
            (networks.remove, ("b",), {}),
            (networks.option, ("antenna", b"\x01"), {}),
            (networks.clear, (), {}),
        ):
            before = store.wear()
            verb(*args, **options)
            assert store.wear() == before + 1


def test_options_survive_the_networks():
    for _, store, again in places("options"):
        networks = Networks(store)
        assert networks.option("antenna") is None
        networks.option("antenna", b"\x01")
        networks.add("a", PASSWORD)
        networks.option("hostname", "pump-7")
        networks.clear()
        networks = Networks(again())
        assert networks.option("antenna") == b"\x01"
        assert networks.option("hostname") == b"pump-7"
        networks.option("hostname", None)
        assert networks.option("hostname") is None
        assert "hostname" in str(raises(ValueError, networks.option, "hostname", "x" * 33))


def test_enterprise():
    for where, store, again in places("eap"):
        networks = Networks(store)
        networks.add("home", PASSWORD)
        networks.add("corp", "pass", eap="peap", identity="me", ca_cert=b"CA" * 1000)
        corp = known(networks, "corp")
        assert (corp.security, corp.eap, corp.identity) == (5, 25, b"me")
        assert corp.outer_identity == b"anonymous"
        assert certificates(store, corp)["ca_cert"] == b"CA" * 1000, where
        # another one takes its place, the network at home stays
        networks.add("lab", eap="tls", client_cert=b"C" * 900, private_key=b"SECRET-KEY")
        networks = Networks(again())
        assert names(networks) == [b"lab", b"home"]
        found = certificates(networks.store, known(networks, "lab"))
        assert found == {"ca_cert": b"", "client_cert": b"C" * 900, "private_key": b"SECRET-KEY"}
        assert networks.store.read("wifi.eap0") is None
        assert b"SECRET" not in repr(networks).encode()
        networks.clear()
        assert networks.store.read("wifi.eap1") is None


def test_bad_input_changes_nothing_and_shows_no_secret():
    for _, store, _ in places("bad"):
        networks = Networks(store)
        networks.add("kept", PASSWORD)
        before = store.wear()
        secret = "Geheim77"
        for ssid, password, options in (
            ("", secret, {}),
            ("x" * 33, secret, {}),
            (b"\xff" * 33, secret, {}),
            (None, secret, {}),
            (7, secret, {}),
            ("a", secret + "x" * 57, {}),
            ("a", secret + "g" * 56, {}),
            ("a", secret, {"security": 0}),
            ("a", secret[:7], {"security": 3}),
            ("a", secret[:4], {}),
            ("a", secret[:4], {"security": 1}),
            ("a", "", {"security": 3}),
            ("a", secret[:5], {}),
            ("a", secret[:7], {}),
            ("a", 12345678, {}),
            ("a", 0, {}),
            ("a", secret, {"security": 7}),
            ("a", secret, {"security": "wpa2"}),
            ("a", secret, {"security": 3.0}),
            ("a", secret, {"cipher": "aes"}),
            ("a", secret, {"channel": "any"}),
            ("a", secret, {"cipher": 4}),
            ("a", secret, {"channel": 300}),
            ("a", secret, {"static": ("1.2.3.4",) * 3}),
            ("a", secret, {"static": ("1.2.3.4",) * 3 + ("1.2.3.256",)}),
            ("a", secret, {"static": ("1.2.3.4",) * 3 + ("1.2.3",)}),
            ("a", secret, {"static": 5}),
            ("a", secret, {"bssid": b"12345"}),
            ("a", secret, {"eap": "ttls", "identity": "me"}),
            ("a", secret, {"eap": "peap"}),
            ("a", secret, {"eap": "tls", "private_key": secret}),
            ("a", secret, {"identity": "me", "colour": secret}),
            ("a", secret, {"identity": "me", "private_key": secret * 257, "client_cert": "x"}),
            ("a", secret, {"security": 2, "identity": "me"}),
        ):
            e = raises(ValueError, lambda: networks.add(ssid, password, **options))  # noqa: B023
            assert str(e) and secret not in str(e) and secret[:4] not in repr(e), options
        assert store.wear() == before and names(networks) == [b"kept"]


def test_what_fits_is_said():
    networks = Networks(None)
    for password, options, text in (
        ("12345678", {"security": "wpa2"}, "security: 0 open, 1 WEP, 2 WPA, 3 WPA2, 6 WPA3"),
        ("12345", {}, "password: 8 to 63 bytes, or 64 hex digits; WEP has security=1"),
        ("1234567", {"security": 6}, "password: 8 to 63 bytes, or 64 hex digits"),
        ("1234", {"security": 1}, "password: 5 to 58 bytes for WEP"),
        (12345678, {}, "password: text or bytes, 0 to 64"),
    ):
        networks._load = lambda mend: (b"", [])
        e = raises(ValueError, lambda: networks.add("n", password, **options))  # noqa: B023
        assert str(e).startswith(text), e
    assert "ssid: text or bytes, 1 to 32" in str(raises(ValueError, networks.add, 7))


def test_secrets_are_in_no_repr():
    for _, store, _ in places("repr"):
        networks = Networks(store)
        networks.add(ODD, PASSWORD, security=3, hidden=True)
        networks.add("corp", PASSWORD, identity="me")
        network = known(networks, ODD)
        shown = [repr(networks), repr(network), repr(list(networks)), repr(store)]
        shown += [repr(getattr(network, name)) for name in ATTRIBUTES]
        raises(AttributeError, getattr, network, "password")
        for text in shown:
            assert PASSWORD not in text
        assert repr(network) == "<Network %r wpa2 hidden>" % ODD
        assert repr(known(networks, "corp")) == "<Network b'corp' wpa2-enterprise>"


def test_damaged_records_are_reported_and_replaced():
    good = field(1, b"a") + field(2, b"\3\0\0\0") + field(3, PASSWORD.encode())
    bad = [good[:n] for n in (1, 2, 4, 6, 8, 12)]
    bad += [field(1, b"") + good, field(2, b"\3") + good, good + field(4, b"short")]
    bad += [good + b"\x09", good + b"\x09\x05only"]
    for damaged in bad:
        for where, store, _ in places("damaged"):
            networks = Networks(store)
            store.put(2, damaged)
            e = raises(Error, list, networks)
            assert e.errno == -280 and e.stage == "store" and "again" in str(e), (where, damaged)
            raises(Error, networks.used, b"a")
            networks.add("b", PASSWORD)
            assert names(networks) == [b"b"]


def test_damaged_files_are_reported_and_replaced():
    for where, store, _ in places("crc"):
        networks = Networks(store)
        networks.add("a", PASSWORD)
        whole = store.read("wifi")
        for bad in (b"", whole[:-1], whole[:20] + b"\xff" + whole[21:], whole + b"\x00", b"PT"):
            store.write("wifi", bad)
            if where == "sealed":
                continue  # its payload is another one
            e = raises(Error, list, networks)
            assert e.errno == -280 and "wifi is damaged" in str(e)
            assert store.read("wifi") == bad
        networks.add("b", PASSWORD)
        assert names(networks) == [b"b"]


def test_a_newer_record_is_kept():
    for where, store, _ in places("newer"):
        body = struct.pack("<2sBBH", b"PT", 2, 2, 1) + b"x"
        newer = body + b"\0\0\0\0"
        store.write("wifi", newer)
        networks = Networks(store)
        if where != "sealed":
            assert "newer" in str(raises(ConfigError, list, networks))
            raises(ConfigError, networks.add, "a", PASSWORD)
            raises(ConfigError, networks.used, b"a")
            raises(ConfigError, networks.option, "antenna", b"\1")
            raises(ConfigError, networks.clear)
            assert store.read("wifi") == newer


def test_unknown_fields_are_kept():
    for _, store, _ in places("unknown"):
        later = field(77, b"later")
        store.put(2, later + field(1, b"a") + field(2, bytes(4)) + later)
        networks = Networks(store)
        networks.add("b", PASSWORD)
        networks.option("antenna", b"\1")
        networks.used(b"a")
        assert store.get(2).count(later) == 2


def test_pack_is_what_the_files_have():
    for where, store, _ in places("format"):
        Networks(store).add("a", "12345678", security=3, cipher=1)
        wanted = b"\1\1a" + b"\2\4\3\1\0\0" + b"\3\x0812345678"
        assert store.get(2) == wanted
        if where != "sealed":
            assert store.read("wifi") == pack(2, wanted)
