"""configure-ap of softAP: what is stored, what is refused and how, and what nobody learns."""

import json
from binascii import hexlify, unhexlify

import cryptolib

from particle.crypto.rsa import encrypt
from particle.errors import Error
from particle.setup.softap_json import members, quoted, unescaped
from particle.setup.softap_tcp import TcpTalk
from particle.store.enterprise import certificates
from softap_world import GUEST, HOME, VECTORS, Heard, World, ask
from support import drive, known, rng

N = int(VECTORS["test_key"]["n"], 16)
SECURITY = VECTORS["security"]
WPA2 = SECURITY["wpa2_aes_psk"]
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\r\n"
BAD = -16640


def sealed(*parts):
    """Return parts of a password as the hex digits of blocks."""
    blocks = [drive(encrypt(N, 65537, part, rng(i + 1))) for i, part in enumerate(parts)]
    return hexlify(b"".join(blocks)).decode()


GOOD = sealed(b"correct horse")


class Desk:
    """A world that is asked to configure networks."""

    def __init__(self, *heard, **more):
        self.world = World(*heard)
        self.commands = self.world.commands(**more)

    def raw(self, body):
        """Send a body; return what follows the blank lines."""
        body = body if isinstance(body, bytes) else body.encode()
        request = b"configure-ap\n%d\n\n" % len(body) + body
        answer = ask(TcpTalk, self.commands, request)
        assert answer[:2] == b"\n\n"
        return answer[2:]

    def ask(self, **given):
        """Send keys; return the result code."""
        return json.loads(self.raw(json.dumps(given)))["r"]

    def network(self, ssid):
        """Return a stored network."""
        return known(self.world.networks, ssid)


def test_codes():
    d = Desk(HOME, GUEST, Heard(b"Old", -50, 1, 0, 1))
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=GOOD) == 0
    assert d.ask(ssid="", sec=0) == -3 and d.ask(sec=0) == -3
    assert d.ask(ssid="x" * 33, sec=0) == -3 and d.ask(ssid="é" * 17) == -3
    assert d.ask(ssid="x" * 32, sec=0) == 0
    for sec in (-1, 2, 0x10000000, 0x02000000):
        assert d.ask(ssid="HomeWiFi", sec=sec, pwd=GOOD) == -1
    for length, code in ((7, -4), (8, 0), (63, 0), (64, -4), (65, -4), (117, -4)):
        assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=sealed(b"x" * length)) == code, length
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=sealed(b"0f" * 32)) == 0  # the key itself
    assert d.ask(ssid="HomeWiFi", sec=WPA2) == -4
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd="x") == -4
    for length, code in ((4, -4), (5, 0), (58, 0), (59, -4)):
        assert d.ask(ssid="Old", sec=1, pwd=sealed(b"x" * length)) == code, length
    assert d.ask(ssid="Old", sec=0x8001, pwd=sealed(b"x" * 5)) == 0
    assert d.ask(ssid="Attic", sec=WPA2, pwd=GOOD) == -2
    assert d.ask(ssid="Guest", sec=WPA2, pwd=GOOD) == -2  # it is open
    assert d.network("Attic") is None


def test_open_networks_need_no_password_and_ignore_one():
    d = Desk()
    assert d.ask(ssid="a") == 0  # softap-setup leaves out `sec` when it does not know the name
    assert d.ask(ssid="b", sec=0, pwd=GOOD) == 0
    assert d.ask(ssid="c", sec=0, pwd="ff" * 128, ch=None) == 0
    assert [n.security for n in d.world.networks] == [0, 0, 0]
    assert d.world.networks.password("b") is None


def test_what_the_radio_hears_counts():
    three = Heard(b"Three", -40, 6, 1, 11)
    mixed = Heard(b"Mixed", -40, 3, 3, 3)
    d = Desk(Heard(b"Mixed", -80, 0, 0), mixed, three)
    for name, sec in SECURITY.items():
        if name[:3] == "wpa" and not name.endswith("ent"):
            assert d.ask(ssid="Mixed", sec=sec, pwd=GOOD) == 0
            n = d.network("Mixed")
            assert (n.security, n.cipher, n.channel) == (3, 3, 3)
    assert d.ask(ssid="Three", sec=WPA2, pwd=GOOD) == 0 and d.network("Three").security == 6


def test_hidden_networks_and_addresses():
    d = Desk()
    assert d.ask(ssid="Attic", sec=SECURITY["wpa_tkip_psk"], pwd=GOOD, hid=1) == 0
    n = d.network("Attic")
    assert n.hidden and (n.security, n.cipher) == (2, 2)
    assert d.ask(ssid="Attic", sec=0, hid=1) == 0 and d.network("Attic").hidden
    ip = "192.168.1.5 255.255.255.0 192.168.1.1 8.8.8.8"
    assert d.ask(ssid="Still", sec=0, ip=ip) == 0
    assert " ".join(d.network("Still").static) == ip
    assert d.ask(ssid="Still", sec=0, ip="") == 0 and d.network("Still").static is None
    for bad in (ip[:-1] + "256", ip[:-4], ip + " 1.2.3.4", ip.replace(".", ","), "é", "1"):
        assert d.ask(ssid="Bad", sec=0, ip=bad) == -5, bad
    assert d.network("Bad") is None


def test_passwords_in_several_blocks():
    d = Desk(HOME)
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=sealed(b"correct ", b"horse")) == 0
    assert d.world.networks.password("HomeWiFi") == b"correct horse"
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=sealed(*[b"x" * 16] * 4)) == -4
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=sealed("pässwörd 😀".encode())) == 0
    assert d.world.networks.password("HomeWiFi") == "pässwörd 😀".encode()


def test_what_does_not_decrypt_is_one_error():
    block = unhexlify(GOOD)
    wrong = [
        "zz" * 128,
        GOOD[:-1],
        GOOD[:-2],
        GOOD + "00",
        GOOD * 5,
        "ff" * 128,  # larger than the modulus
        "00" * 128,
        GOOD[:-2] + "00",
        GOOD + "00" * 128,
        hexlify(bytes((block[0] ^ 1,)) + block[1:]).decode(),
        "ab",
    ]
    d = Desk(HOME)
    answers = {d.raw(json.dumps({"ssid": "HomeWiFi", "sec": WPA2, "pwd": p})) for p in wrong}
    assert answers == {b'{"r":-16640}'}
    assert len(d.world.networks) == 0
    # nobody may try for ever
    for n in range(len(wrong), 20):
        assert not d.commands.key.exhausted(), n
        assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd="00" * 128) == BAD
    assert d.commands.key.exhausted()
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=GOOD) == BAD


def test_without_a_key():
    w = World(HOME, private=None)
    commands = w.commands()
    assert ask(TcpTalk, commands, b"public-key\n0\n\n") == b'\n\n{"r":1}'
    w = World(HOME, private=b"\x30\x03damaged")
    commands = w.commands()
    assert ask(TcpTalk, commands, b"public-key\n0\n\n") == b'\n\n{"r":1}'


def test_a_key_that_is_made_meanwhile():
    w = World(HOME, private=None)

    def keygen():
        yield from range(3)
        w.files.write("device.rsa.der", unhexlify(VECTORS["test_key"]["private_key_der_pkcs1"]))

    commands = w.commands(keygen=keygen)
    talk = TcpTalk(commands)
    talk.feed(bytearray(b"public-key\n0\n\n"), 14)
    steps = talk.answer()
    assert next(steps) == b"" and next(steps) == b"" and commands.key.making()
    while commands.key.making():
        commands.key.step()
    assert VECTORS["test_key"]["public_key_field_b"].encode() in next(steps)
    # and one that takes longer than clients wait
    w = World(HOME, private=None)
    commands = w.commands(keygen=lambda: iter([0]))
    steps = commands.tcp(b"public-key", b"")
    assert next(steps) == b""
    commands.now = 12000
    assert next(steps) == b'\n\n{"r":1}'


def test_peap():
    d = Desk()
    for name, sec in SECURITY.items():
        if name.endswith("_ent"):
            assert d.ask(ssid="Corp", sec=sec, eap=25, ii="alice", pwd=GOOD) == 0
            n = d.network("Corp")
            assert (n.security, n.eap, n.identity) == (5 if "wpa2" in name else 4, 25, b"alice")
            assert n.outer_identity == b"anonymous"
    corp = SECURITY["wpa2_aes_ent"]
    assert d.ask(ssid="Corp", sec=corp, eap=25, ii="bob", oi="x", pwd=GOOD, ca=PEM.decode()) == 0
    assert certificates(d.world.files, d.network("Corp"))["ca_cert"] == PEM
    for given in (
        {"eap": 25, "pwd": GOOD},
        {"eap": 25, "ii": "", "pwd": GOOD},
        {"eap": 25, "ii": "alice"},
        {"eap": 25, "ii": "x" * 65, "pwd": GOOD},
        {"eap": 26, "ii": "alice", "pwd": GOOD},
        {"ii": "alice", "pwd": GOOD},
        {"eap": 25, "ii": "alice", "pwd": sealed(b"x" * 65)},
    ):
        assert d.ask(ssid="Corp", sec=corp, **given) == 1, given
    assert d.network("Corp").identity == b"bob"


def tls(secret, private, **more):
    """Return the keys of an EAP-TLS network."""
    given = {"ssid": "Corp", "sec": SECURITY["wpa2_aes_ent"], "eap": 13, "crt": PEM.decode()}
    given.update({"ek": sealed(secret), "key": hexlify(private).decode()})
    given.update(more)
    return given


def test_tls():
    v = VECTORS["eap_tls_key"]
    secret = unhexlify(v["aes_key"]) + unhexlify(v["iv"])
    key = unhexlify(v["ciphertext"])
    d = Desk()
    assert d.ask(**tls(secret, key, ca=PEM.decode(), oi="outside")) == 0
    n = d.network("Corp")
    assert (n.eap, n.outer_identity) == (13, b"outside")
    found = certificates(d.world.files, n)
    assert found == {"ca_cert": PEM, "client_cert": PEM, "private_key": v["pem"].encode()}
    # with the certificates as long as they may be
    large = b"-----BEGIN " + b"x" * 2000
    large += bytes((16 - len(large) % 16,)) * (16 - len(large) % 16)
    cipher = cryptolib.aes(secret[:16], 2, secret[16:])
    text = "-----BEGIN CERTIFICATE-----\r\n" + ("x" * 62 + "\r\n") * 62
    given = tls(secret, cipher.encrypt(large), ca=text, crt=text)
    assert len(json.dumps(given)) > 12000 and d.ask(**given) == 0
    for missing in ("crt", "ek", "key"):
        assert d.ask(**tls(secret, key, **{missing: ""})) == 1
    given = tls(secret, key)
    del given["key"]
    assert d.ask(**given) == 1
    # what cannot be decrypted, whatever the reason
    for wrong in (
        tls(secret[:31], key),
        tls(bytes(32), key),
        tls(secret, key, ek="00" * 128),
        tls(secret, key[:-1]),
        tls(secret, key[:-16]),
        tls(secret, key, key="zz" * 16),
        tls(secret, bytes(16)),
    ):
        assert d.ask(**wrong) == BAD, wrong
    assert certificates(d.world.files, d.network("Corp"))["client_cert"] == text.encode()


def test_nobody_may_try_private_keys_for_ever():
    # the padding of a key tells as much as that of a password
    v = VECTORS["eap_tls_key"]
    secret = unhexlify(v["aes_key"]) + unhexlify(v["iv"])
    wrong = (unhexlify(v["ciphertext"])[:-16], bytes(16), b"x" * 17)
    given = [tls(secret, key) for key in wrong] + [tls(secret[:31], bytes(16))]
    d = Desk()
    for n in range(20):
        assert not d.commands.key.exhausted(), n
        assert d.ask(**given[n % 4]) == BAD
    assert d.commands.key.exhausted()
    assert len(d.world.networks) == 0


def test_one_is_decrypted_after_the_other():
    class Rsa:
        """A key elsewhere that counts how many it decrypts at a time."""

        public = b"\x30"
        now = most = done = 0

        def rsa_decrypt(self, block):
            self.now += 1
            self.most = max(self.most, self.now)
            yield
            yield
            self.now -= 1
            self.done += 1
            return b"correct horse"

    rsa = Rsa()
    key = World().commands(rsa=rsa).key
    waiting = [key.decrypt(GOOD.encode()) for _ in range(4)]
    next(waiting[3])
    waiting.pop().close()  # whoever leaves in the middle keeps nobody waiting
    rsa.now = 0
    rounds = 0
    while waiting:
        for steps in list(waiting):
            try:
                assert next(steps) == b""
            except StopIteration as end:
                assert end.value == b"correct horse"
                waiting.remove(steps)
        rounds += 1
        assert rounds < 50
    assert rsa.done == 3 and rsa.most == 1


def test_names_with_quotes():
    odd = Heard(b'say "hi" \\ \xc3\xa9')
    raw = Heard(b"a\\tb")
    d = Desk(odd, raw)
    heard = ask(TcpTalk, d.commands, b"scan-ap\n0\n\n")
    found = json.loads(heard)["scans"]
    assert [f["ssid"].encode() for f in found] == [odd.ssid, raw.ssid]
    assert d.ask(ssid=found[0]["ssid"], sec=WPA2, pwd=GOOD) == 0
    assert d.network(odd.ssid).ssid == odd.ssid
    # a client that does not escape what it sends
    body = b'{"ssid":"a\\tb","sec":%d,"pwd":"%s"}' % (WPA2, GOOD.encode())
    assert d.raw(body) == b'{"r":0}' and d.network(raw.ssid).ssid == raw.ssid


def test_scans_are_shared_for_a_moment():
    d = Desk(HOME, HOME, Heard(b""), Heard(b"x" * 40))
    scans = json.loads(ask(TcpTalk, d.commands, b"scan-ap\n0\n\n"))["scans"]
    assert [s["ssid"] for s in scans] == ["HomeWiFi", "HomeWiFi", "x" * 32]
    d.ask(ssid="HomeWiFi", sec=WPA2, pwd=GOOD)
    assert d.world.scans == 1
    d.commands.now += 5000
    d.world.heard = [None]
    assert ask(TcpTalk, d.commands, b"scan-ap\n0\n\n") == b'\n\n{"scans":[]}'
    assert d.world.scans == 2


def test_no_answer_to_what_is_no_command():
    d = Desk(HOME)
    for body in (
        b"",
        b"{",
        b"[]",
        b"nonsense",
        b'{"ssid":"Guest","sec":0',
        b'{"ssid":"Guest","sec":0,}',
        b'{"ssid":"Guest" "sec":0}',
        b'{"ssid":"Guest","sec":0}}',
        b'{"ssid":"Guest","sec":"0"}',
        b'{"ssid":5,"sec":0}',
        b'{"ssid":null,"sec":0}',
        b'{"ssid":"Guest","sec":x}',
        b'{"ssid":"Guest","sec":99999999999999999999}',
        b'{"ssid":"Guest","sec":{}}',
        b'{"ssid":"Guest","other":0}',
        b'{"ssid":"Guest","\xff":0}',
        b'{ssid:"Guest","sec":0}',
        b'{"ssid":"Guest,"sec":0}',
        b'{"ssid":"Guest\\","sec":0}',
    ):
        assert d.raw(body) == b"", body
    assert len(d.world.networks) == 0
    assert d.raw(b' {"idx":null,"ch" : true,\r\n"sec":0.5,"ssid":"Guest"}\n') == b'{"r":0}'


def test_a_full_flash():
    d = Desk(HOME)

    def full(kind, data):
        raise Error(-225, "cannot write wifi: 28", "store")

    d.world.files.put = full
    assert d.ask(ssid="HomeWiFi", sec=WPA2, pwd=GOOD) == 2
    assert d.network("HomeWiFi") is None


def test_a_damaged_claim_code():
    d = Desk(HOME)

    def damaged():
        raise Error(-280, "claim is damaged", "store")

    d.world.claimed = damaged
    said = ask(TcpTalk, d.commands, b"device-id\n0\n\n")
    assert said == b'\n\n{"id":"3200200018473335313231EF","c":"0"}'


def test_json():
    kinds = ("a",), ("b",)
    assert members(b'{"a":"x\\"y","b":-12}', *kinds) == {"a": b'x\\"y', "b": -12}
    assert members(bytearray(b"{}"), *kinds) == {}
    assert unescaped(b'\\"\\\\\\/\\b\\f\\n\\r\\t') == b'"\\/\b\f\n\r\t'
    assert unescaped(b"\\u00e9\\ud83d\\ude00") == "é😀".encode()
    for odd in (b"\\", b"\\x", b"\\u12", b"\\uzzzz", b"\\ud83d", b"\\ude00"):
        unescaped(odd)
    assert quoted(b'\x01"\\\xff') == b'"\\u0001\\"\\\\\xff"'
