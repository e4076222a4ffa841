"""What a hostile server does, and what a board must say after it: scripts for `hostile.Peer`."""

import random
import time
from dataclasses import dataclass

from Crypto.PublicKey import RSA

from cloud.device import ACK, CON, NON, RST, pack

END_OF_STREAM, NOT_ALLOWED, PROTOCOL, TIMEOUT = -201, -130, -240, -160
LIMIT = 1120  # bytes of the longest frame that the device announces to take
DIGEST_INFO = bytes.fromhex("3021300906052b0e03021a05000414")  # of SHA-1


@dataclass(frozen=True)
class Case:
    """A script of the server, and what the device must say after it."""

    name: str
    script: object
    stage: str
    errno: int
    online: bool = False  # it was connected before
    limit: int = 0  # ms of board time that it must have waited

    @property
    def kind(self):
        """The class of the error."""
        if "key" in self.stage:
            return "AuthError"
        return "ProtocolError" if self.errno == PROTOCOL else "Error"


def before_the_keys():
    """What a port that is no cloud's may say."""
    http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    for name, data, errno in (
        ("nothing", b"", END_OF_STREAM),
        ("nonce of 1", bytes(1), END_OF_STREAM),
        ("nonce of 39", bytes(39), END_OF_STREAM),
        ("nonce of 41", bytes(41), PROTOCOL),
        ("nonce of 5000", bytes(5000), PROTOCOL),
        ("HTTP", http, PROTOCOL),
        ("TLS alert", bytes.fromhex("15030300020228"), END_OF_STREAM),
    ):
        yield Case(name, lambda peer, data=data: peer.send(data), "transport", errno)

    def reset(peer):
        peer.send(bytes(20))
        time.sleep(0.1)  # not before the board has seen that it is connected
        peer.reset()

    yield Case("reset", reset, "transport", END_OF_STREAM)


def replies():
    """What is wrong with the 384 bytes that prove who the server is."""
    other = RSA.generate(2048)

    def refuse(peer):
        peer.client_message()

    yield Case("refusal", refuse, "device key", NOT_ALLOWED)

    for n in (1, 128, 383):

        def cut(peer, n=n):
            peer.client_message()
            peer.send(peer.reply()[:n])

        yield Case(f"reply cut after {n}", cut, "transport", END_OF_STREAM)

    def sealed(change):
        def script(peer):
            peer.client_message()
            secret = bytes(range(40))
            box = change(peer, secret)
            peer.send(box + peer.sign(secret, box))
            peer.silent()

        return script

    # the server is right and sealed for another key, or not at all
    stranger = RSA.generate(1024).public_key()

    def for_stranger(peer, secret):
        peer.device_key = stranger
        return peer.seal_credentials(secret)

    for name, change in (
        ("credentials for another device", for_stranger),
        ("credentials of 39", lambda peer, secret: peer.seal_credentials(secret[:39])),
        ("credentials of 41", lambda peer, secret: peer.seal_credentials(secret + b"x")),
        ("no credentials", lambda peer, secret: peer.seal_credentials(b"")),
        ("box of zeros", lambda peer, secret: bytes(128)),
        ("box above the modulus", lambda peer, secret: b"\xff" * 128),
    ):
        yield Case(name, sealed(change), "device key", NOT_ALLOWED)

    def signed(make):
        def script(peer):
            peer.client_message()
            secret = bytes(range(40))
            box = peer.seal_credentials(secret)
            peer.send(box + make(peer, secret, box))
            peer.silent()

        return script

    for name, make in (
        ("another server's signature", lambda p, c, e: p.sign(c, e, key=other)),
        ("signature with DigestInfo", lambda p, c, e: p.sign(c, e, info=DIGEST_INFO)),
        ("signature with other filler", lambda p, c, e: p.sign(c, e, filler=b"\xfe")),
        ("signature of other credentials", lambda p, c, e: p.sign(c[::-1], e)),
        ("signature of another box", lambda p, c, e: p.sign(c, e[::-1])),
        ("signature of zeros", lambda p, c, e: bytes(256)),
        ("signature above the modulus", lambda p, c, e: b"\xff" * 256),
    ):
        yield Case(name, signed(make), "server key", NOT_ALLOWED)

    def more(data):
        def script(peer):
            peer.client_message()
            peer.send(peer.reply() + data)
            peer.silent()

        return script

    yield Case("reply and an empty frame", more(bytes(2)), "transport", PROTOCOL)
    yield Case("reply and 3000 bytes", more(bytes(3000)), "transport", PROTOCOL)


def online(name, script, errno, limit=0):
    """Return a case in which `script` runs on a good connection."""

    def whole(peer):
        peer.welcome()
        peer.alive()
        script(peer)

    return Case(name, whole, "cloud", errno, online=True, limit=limit)


def frames():
    """What is wrong with a frame of a good connection."""
    for n in (0, 1, 15, 17, LIMIT + 16, 0xFFFF):

        def length(peer, n=n):
            peer.send(n.to_bytes(2, "big") + bytes(64))
            peer.silent()

        yield online(f"frame length {n}", length, PROTOCOL)

    for n in (1, 2, 20):

        def truncated(peer, n=n):
            peer.send(peer.seal(bytes(20))[:n])

        yield online(f"frame cut after {n}", truncated, END_OF_STREAM)

    for last in (0, 17, 255):

        def padding(peer, last=last):
            peer.frame(bytes(5), bytes(10) + bytes([last]))
            peer.silent()

        yield online(f"padding {last}", padding, PROTOCOL)


def ignored():
    """What a good connection survives."""

    def strange(peer):
        seed = random.Random(7)
        peer.frame(b"", bytes([16]) * 16)  # nothing but padding
        peer.frame(pack(CON, 0, peer.next_mid()), bytes(11) + b"\x0c")  # odd padding bytes
        for head in (0x00, 0x80, 0xC0, 0x49, 0x4F):  # version 0, 2, 3; token of 9, 15
            peer.frame(bytes([head]) + bytes(20))
        for _ in range(100):
            peer.frame(seed.randbytes(seed.randrange(1, 200)))
        peer.alive()

    yield online("no CoAP", strange, END_OF_STREAM)

    def mutated(peer):
        seed = random.Random(8)
        whole = [
            pack(CON, 2, 1, b"\x07", options=[(11, b"f"), (11, b"size"), (15, b"x")]),
            pack(CON, 1, 2, b"\x07", options=[(11, b"v"), (11, b"level")]),
            pack(CON, 2, 3, options=[(11, b"E"), (11, b"a"), (14, b"\x3c")], payload=b"data"),
            pack(CON, 1, 4, b"\x07", options=[(11, b"d"), (15, b"\x02")]),
        ]
        for _ in range(300):
            message = bytearray(seed.choice(whole))
            for _ in range(seed.randrange(1, 4)):
                message[seed.randrange(len(message))] = seed.randrange(256)
            peer.frame(bytes(message[: seed.randrange(1, len(message) + 1)]))
        peer.alive()

    yield online("almost CoAP", mutated, END_OF_STREAM)

    def floods(peer):
        mids = [peer.next_mid() for _ in range(300)]
        peer.send(b"".join(peer.seal(pack(CON, 0, mid)) for mid in mids))
        for mid in mids:
            assert peer.message().raw == pack(ACK, 0, mid)
        tokens = range(100)
        options = [(11, b"f"), (11, b"size"), (15, b"12345")]
        call = [pack(CON, 2, peer.next_mid(), bytes([t]), options=options) for t in tokens]
        peer.send(b"".join(peer.seal(message) for message in call))
        for t in tokens:
            assert peer.response(bytes([t])).payload == b"\0\0\0\5"
        peer.alive()

    yield online("floods", floods, END_OF_STREAM)

    def split(peer):
        peer.client_message()
        # the reply, the Hello and the first request, in one segment and then byte by byte
        data = peer.reply() + peer.seal(pack(NON, 2, peer.next_mid(), options=[(11, b"h")]))
        options = [(11, b"f"), (11, b"size"), (15, b"123")]
        data += peer.seal(pack(CON, 2, peer.next_mid(), b"\x09", options=options))
        peer.send(data, one_by_one=peer.slow)
        assert peer.message().path == ["h"]
        assert peer.response(b"\x09").payload == b"\0\0\0\3"
        peer.alive()

    for slow in (False, True):

        def script(peer, slow=slow):
            peer.slow = slow
            split(peer)

        yield Case(f"one segment, bytes {slow}", script, "cloud", END_OF_STREAM, online=True)


def requests():
    """Requests that are no good: each has its answer, and the connection stays."""

    def refused(peer):
        def answer(*request, **options):
            return peer.answer(peer.request(*request, **options))

        ack, result = peer.call(b"unknown")
        assert (ack.code, result.code) == (0, 0x84)
        ack, result = peer.call(b"SIZE", b"exact")
        assert result.code == 0x84
        ack, result = peer.call(b"raises")
        assert (result.code, result.payload) == (0x44, b"\xff\xff\xff\xff")
        ack, result = peer.call(b"size", b"x" * 1024)
        assert result.payload == b"\0\0\4\0"
        ack, _ = peer.call(b"size", b"x" * 1025)
        assert ack.code == 0x80
        ack, _ = peer.call(b"size", b"\xff\xfe")
        assert ack.code == 0x80
        assert answer(2, [b"f", b"size"], b"x", token=b"").type == RST
        assert answer(2, [b"f", b"size"], b"x", token=b"12345678").type == ACK
        assert peer.response(b"12345678").payload == b"\0\0\0\1"
        assert answer(2, [b"f", b"size"], token=b"\x01").type == ACK  # no argument at all
        assert peer.response(b"\x01").payload == b"\0\0\0\0"
        assert answer(2, [b"f"], b"x").code >= 0x80
        assert answer(1, [b"v", b"level"]).code == 0
        assert peer.response(b"\x07").payload == b"\0\0\0\5"
        assert answer(1, [b"v", b"nothing"]).code == 0
        assert peer.response(b"\x07").code == 0x84
        assert answer(1, [b"v", b"failing"]).code == 0
        assert peer.response(b"\x07").code == 0xA0
        assert answer(1, [b"v", b"level"], token=b"").type == RST
        for path in ([b"z"], [b"ff", b"size"], [b"long"], [], [b""]):
            assert answer(2, path).code == 0x84, path
            assert answer(2, path, token=b"").type == RST, path
        peer.request(2, [b"z"], type_=NON)
        for flags in (b"\x01", b"\x02", b"\x03", None):
            assert answer(1, [b"d"], flags).code == 0
            body = peer.response(b"\x07")
            assert body.payload.startswith(b"{")
            peer.frame(pack(ACK, 0, body.mid))
        assert answer(1, [b"d"], b"\x09").code == 0x84
        assert answer(3, [b"s"], b"\x01").code == 0x44
        peer.alive()

    yield online("refused requests", refused, END_OF_STREAM)

    def events(peer):
        for name, data in (
            (b"", b"no name"),
            (b"\xff\xfe", b"no text"),
            (b"evil/\xc3", b"half a character"),
            (b"evil/text", b"\xff\xfe"),
            (b"evil/raises", b"x"),
            (b"particle/device/updates/forced", b""),
            (b"spark/device/unheard/of", b"\xff"),
            (b"n" * 300, b"long"),
            (b"good/one", b"d" * 1024),
        ):
            mid = peer.request(2, [b"E", name], payload=data, token=b"")
            assert peer.answer(mid).raw == pack(ACK, 0, mid)
        # the longest message the device takes
        options = [(11, b"E"), (11, b"good/two")]
        rest = LIMIT - 1 - len(pack(NON, 2, 0, options=options)) - 1
        peer.frame(pack(NON, 2, peer.next_mid(), options=options, payload=b"2" * rest))
        peer.alive()

    yield online("events", events, END_OF_STREAM)

    def answers(peer):
        for type_ in (ACK, RST, CON, NON):
            for code in (0, 0x44, 0x45, 0x5F, 0x84, 0xA0, 0xE0, 0xFF):
                if (type_, code) == (NON, 0):
                    continue
                token = b"\x55" if code else b""
                for mid in (0, 0xFFFF, peer.device_mid):
                    peer.frame(pack(type_, code, mid, token, payload=b"abc" if code else b""))
        peer.alive()

    yield online("answers nobody asked for", answers, END_OF_STREAM)


def silence_before():
    """A server that stops talking before the connection stands, and for how long it is borne."""

    def drops(peer):
        for i in range(40):
            peer.send(bytes([i]))
            time.sleep(0.1)
        peer.silent()

    def nonce(peer):
        peer.client_message()
        peer.silent()

    def half(peer):
        peer.client_message()
        peer.send(peer.reply()[:200])
        peer.silent()

    def hello(peer):
        peer.handshake()
        peer.silent()

    def other(peer):
        peer.handshake()
        while True:
            peer.frame(pack(CON, 0, peer.next_mid()))
            peer.message()
            time.sleep(0.01)

    for name, script, stage, limit in (
        ("nothing", lambda peer: peer.silent(), "transport", 20000),
        ("half a nonce", lambda peer: (peer.send(bytes(20)), peer.silent()), "transport", 20000),
        ("a nonce in drops", drops, "transport", 20000),
        ("no reply", nonce, "transport", 20000),
        ("half a reply", half, "transport", 20000),
        ("no Hello", hello, "cloud", 4000),
        ("pings and no Hello", other, "cloud", 4000),
    ):
        yield Case(name, script, stage, TIMEOUT, limit=limit)


def silence_after():
    """A server that stops talking on a good connection."""
    limit = 25000  # 15 s to the ping, 10 s for its answer
    yield online("silence", lambda peer: peer.silent(), TIMEOUT, limit)

    def half(peer):
        peer.send(peer.seal(bytes(20))[:10])
        peer.silent()

    yield online("half a frame", half, TIMEOUT, limit)
