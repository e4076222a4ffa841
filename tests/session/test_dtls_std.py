"""The standard dialect with a scripted server: certificates and IDs (cloud-protocol 2.9)."""

from binascii import unhexlify

from dtls_net import Net
from dtls_peer import (
    CERTIFICATE,
    DEVICE,
    HELLO,
    REQUEST,
    SERVER,
    DeviceKeys,
    Memory,
    Peer,
    u16,
    u24,
)
from particle.crypto.ccm import Ccm
from particle.session.dtls_std import Standard, StandardHandshake, StandardRecords
from support import raises, rng, vectors

PING = b"\x40\x00\x00\x01"
OWN = b"\x0a\x0b\x0c"
RAW = u24(91) + SERVER.spki
X509 = u24(300) + u24(297) + bytes(100) + SERVER.spki + bytes(106)


class Server(Peer):
    """A server of the standard dialect; extensions: what is in its ServerHello."""

    def __init__(self, certificate=RAW, extensions="001300010200140001 02", **more):
        super().__init__(**more)
        self.certificate = certificate
        self.given = unhexlify(extensions.replace(" ", ""))

    def extensions(self):
        return self.given

    def flight4(self, seq):
        message = self.message
        numbers = [seq]

        def counting(kind, body, _):
            m = message(kind, body, numbers[0])
            if m:
                numbers[0] += 1
            if kind == HELLO and self.certificate is not None:
                return m + counting(CERTIFICATE, self.certificate, 0)
            return m

        self.message = counting
        out = super().flight4(seq)
        self.message = message
        self.last = numbers[0] - 1
        first = out.pop(0)
        n = 12 + (first[2] << 8 | first[3])
        return [m for m in (first[:n], first[n:]) if m] + out


def joined(server, say=(PING,), own=None, keys=None, **more):
    with Memory():
        c = Standard(keys or DeviceKeys(DEVICE, SERVER), None, rng(5), own=own, **more)
        n = Net(c, server)
        n.say = list(say)
        n.run()
    return n


def test_x509():
    # no raw key was agreed: an empty list in place of ours
    n = joined(Server(X509, extensions="000b00020100", cid=None))
    assert n.down_event() is None and n.peer.client is None and n.peer.spki == b""
    assert n.peer.heard == [PING] and n.got


def test_raw_keys_both_ways():
    n = joined(Server(cid=None))
    assert n.down_event() is None and n.client.deadline() is None, n.events
    assert n.peer.client == DEVICE.spki
    assert n.peer.heard == [PING] and n.got == [b"\x60\x00\x00\x01"]
    assert n.client._records.cid == b"" and n.client._records.own == b""
    # one record per message, nothing before Finished
    assert len(n.sent) == 8 and n.sent[6][2][0] == 23


def test_hello():
    h = StandardHandshake(bytes(32), SERVER.spki, None)
    m = h.hello()
    assert len(m) == 95 - 5 and unhexlify("00fe") not in m[54:]
    h = StandardHandshake(bytes(32), SERVER.spki, OWN)
    m = h.hello()
    assert m.endswith(unhexlify("00fe0004030a0b0c" + "00360004030a0b0c"))
    assert u16(len(m) - 56) == m[54:56]
    h = StandardHandshake(bytes(32), SERVER.spki, b"")
    assert h.hello().endswith(unhexlify("00fe000100" + "0036000100"))


def test_another_certificate_is_the_wrong_server_key():
    for certificate in (
        u24(91) + DEVICE.spki,
        RAW[:-1] + b"\x00",
        RAW + b"\x00",
        b"\x00\x00\x5a" + SERVER.spki,
        b"",
        X509,
    ):
        n = joined(Server(certificate, cid=None))
        assert n.down_event() == ("server key", -130), n.events
        assert n.peer.alerts == [b"\x02\x2a"]
    # the pinned key in the certificate is not enough, the signature has to be made with it
    server = Server(cid=None)
    server.key = DEVICE
    n = joined(server)
    assert n.down_event() == ("server key", -130)
    assert n.peer.alerts == [b"\x02\x33"]


def test_a_server_without_a_certificate_is_of_the_other_dialect():
    n = joined(Server(None, cid=None))
    assert n.down_event() == ("transport", -240)


def test_connection_ids_offered_and_not_wanted():
    n = joined(Server(cid=None), own=OWN)
    assert n.down_event() is None and n.client._records.own == b""
    assert n.peer.heard == [PING] and n.got


def test_connection_id_not_offered_but_given():
    n = joined(Server(extensions="001300010200140001020036000908a1a2a3a4a5a6a7a8"), own=None)
    assert n.down_event() == ("transport", -240)
    for bad in ("00360000", "0036000107", "003600020201"):
        n = joined(Server(extensions="00130001020014000102" + bad), own=b"")
        assert n.down_event() == ("transport", -240)


def handshake(own, extensions):
    h = StandardHandshake(bytes(32), SERVER.spki, own)
    found = {}
    for number, content in extensions:
        found[number] = unhexlify(content)
    h.extensions(found)
    return h


def test_records_with_the_additional_data_of_rfc_9146():
    block = unhexlify(vectors("coap-messages.json")["dtls"]["key_block"])
    # cloud-protocol 9.3, rfc9146_ping_unpadded; made with code that spoke to mbedTLS 3.6.6
    wanted = unhexlify(
        "19fefd0001000000000007a1a2a3a4a5a6a7a80015000100000000000780f1da29e2d88376195b7be5d4"
    )
    h = handshake(b"", ((54, "08a1a2a3a4a5a6a7a8"),))
    r = StandardRecords(h, 0)
    r.keys(block, h.cid)
    r.lo = 7
    buf = bytearray(100)
    head = r.head()
    buf[head : head + 4] = unhexlify("40000102")
    assert bytes(buf[: r.seal(23, buf, 0, 4)]) == wanted
    # and back, with an ID of our own
    h = handshake(unhexlify("a1a2a3a4a5a6a7a8"), ((54, "00"),))
    r = StandardRecords(h, 0)
    r.keys(block[16:32] + block[:16] + block[36:] + block[32:36], h.cid)
    buf = bytearray(wanted)
    assert r.open(buf, 0, len(buf)) == len(buf)
    assert r.type == 23 and bytes(buf[r.at : r.at + r.n]) == unhexlify("40000102")
    assert isinstance(r._open, Ccm)


def test_extensions():
    h = handshake(OWN, ((254, "0401020304"), (19, "02"), (20, "02")))
    assert h.cid == b"\x01\x02\x03\x04" and not h.rfc and h.own == OWN
    h = handshake(OWN, ((54, "00"), (19, "00")))
    assert h.cid == b"" and h.rfc and h.own == OWN
    h = handshake(OWN, ())
    assert h.cid == b"" and h.own is None
    raises(ValueError, handshake, None, ((54, "00"),))


def test_proof_of_our_key_as_the_server_asks():
    key = SERVER.spki
    for asked, raw, certificate, verify in (
        (True, True, 12 + 94, 12 + 2),
        (True, False, 15, 0),
        (False, True, 0, 0),
        (False, False, 0, 0),
    ):
        h = StandardHandshake(bytes(32), key, None)
        h.hello()
        h.extensions({19: b"\x02"} if raw else {})
        h._asked = asked
        assert len(h.message(11, RAW)) == certificate
        assert len(h.message(16, b"x")) == 13
        assert len(h.message(15, b"ab")) == verify
        assert h.sent == 2 + bool(certificate) + bool(verify)


def test_a_request_for_a_key_may_be_missing():
    n = joined(Server(cid=None, change={REQUEST: lambda b: None}))
    assert n.down_event() is None and n.peer.client is None
    assert n.peer.heard == [PING] and n.got


def test_close():
    n = joined(Server(cid=None))
    n.client.close(n.now)
    n.go_on()
    assert n.peer.alerts == [b"\x01\x00"]
    assert n.down_event() == ("cloud", -150)
