"""The AES/TCP channel against the handshake and frame vectors (cloud-protocol 9.2)."""

from binascii import unhexlify

from particle.session.aes_tcp import Tcp, hmac
from tcp_peer import TcpPeer, V, VectorKeys, field, vector_rng


def channel():
    c = Tcp(VectorKeys(), None, vector_rng)
    c.start(0)
    assert c.event() == ("STAGE", "transport", None)
    return c


def feed(c, data, step, now=1):
    """Give `data` in pieces of `step` bytes, collecting messages as the connection would."""
    got = []
    for i in range(0, len(data), step):
        piece = bytearray(data[i : i + step])
        c.receive(piece, len(piece), now)
        while True:
            n = c.message()
            if n == 0:
                break
            got.append(bytes(c.buf[c.at : c.at + n]))
    return got


def compute(c, now=1):
    slices = 0
    while c.deadline() == now:
        c.tick(now)
        slices += 1
        assert slices < 1000
    return slices


def opened(step=1000, tail=b""):
    c = channel()
    feed(c, field("server_nonce"), step)
    c.tick(1)
    compute(c)
    n = c.transmit(1)
    assert bytes(c.out[:n]) == field("client_message")
    assert c.transmit(1) == 0
    feed(c, field("server_reply") + tail, step)
    c.tick(1)
    assert compute(c) > 5
    assert c.event() == ("OPEN", False, None), step
    assert c.event() is None
    assert c.seed == V["initial_counter"]
    return c


def test_hmac():
    # RFC 2202, section 3; and a key as long as a block
    for key, data, digest in (
        (b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (b"\xaa" * 20, b"\xdd" * 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
    ):
        assert hmac(key, data).hex() == digest
    assert hmac(bytes(64), b"") == hmac(b"", b"")


def test_handshake_whole_and_in_pieces():
    for step in (1000, 256, 7, 1):
        opened(step)


def frames(direction):
    return [f for f in V["frames"] if f["direction"] == direction]


def test_frames_of_the_device():
    c = opened()
    for f in frames("device->cloud"):
        plain = unhexlify(f["plaintext"])
        c.out[c.head : c.head + len(plain)] = plain
        c.seal(len(plain))
        n = c.transmit(2)
        assert bytes(c.out[:n]) == unhexlify(f["frame"])


def test_frames_of_the_cloud_at_every_split():
    data = b"".join([unhexlify(f["frame"]) for f in frames("cloud->device")])
    want = [unhexlify(f["plaintext"]) for f in frames("cloud->device")]
    for step in (1000, 1, 2, 3, 17, 19, 35):
        assert feed(opened(), data, step) == want
    for cut in range(len(data)):
        c = opened()
        assert feed(c, data[:cut], 1000) + feed(c, data[cut:], 1000) == want


def test_frames_right_behind_the_reply():
    data = b"".join([unhexlify(f["frame"]) for f in frames("cloud->device")])
    want = [unhexlify(f["plaintext"]) for f in frames("cloud->device")]
    for cut in range(len(data) + 1):
        c = opened(1000, data[:cut])
        got = []
        while True:
            n = c.message()
            if n == 0:
                break
            got.append(bytes(c.buf[c.at : c.at + n]))
        assert got + feed(c, data[cut:], 5) == want


def test_lengths_and_padding():
    for size in (4, 15, 16, 17, 927, 1119):
        peer = TcpPeer()
        c = opened()
        message = b"\x50\x02\x12\x34" + bytes(size - 4)
        assert feed(c, peer.seal(message), 100) == [message]
        c.out[c.head : c.head + size] = message
        c.seal(size)
        n = c.transmit(2)
        assert peer.take(bytes(c.out[:n])) == [message]
    assert c.room == 1119


def down(c):
    e = c.event()
    assert e and e[0] == "DOWN", e
    assert c.event() is None
    # a channel that is down asks for nothing and takes nothing
    assert c.deadline() is None
    assert c.transmit(1) == 0
    c.receive(bytearray(b"x"), 1, 1)
    assert c.message() == 0 and c.event() is None
    return e[1]


def test_bad_frames_end_the_connection():
    for head in (b"\x00\x00", b"\x00\x0f", b"\x00\x11", b"\xff\xf0", b"\x04\x70", b"GE"):
        for step in (1, 100):
            c = opened()
            assert feed(c, head + bytes(64), step) == []
            assert down(c) == "transport"


def test_bad_padding_ends_the_connection():
    for last in (0, 17, 255):
        c = opened()
        block = bytes(15) + bytes([last])
        from cryptolib import aes

        data = aes(field("aes_key"), 2, field("iv")).encrypt(block)
        assert feed(c, b"\x00\x10" + data, 100) == []
        assert down(c) == "transport"


def test_a_frame_of_padding_only_is_skipped():
    peer = TcpPeer()
    c = opened()
    assert feed(c, peer.seal(b"") + peer.seal(b"\x60\x00\x00\x01"), 100) == [b"\x60\x00\x00\x01"]


def test_closed_at_every_byte_of_the_handshake():
    nonce = field("server_nonce")
    reply = field("server_reply")
    for cut in range(0, len(nonce), 7):
        c = channel()
        feed(c, nonce[:cut], 100)
        c.receive(bytearray(1), 0, 1)
        assert down(c) == "transport"
    for cut in range(0, len(reply), 31):
        c = channel()
        feed(c, nonce, 100)
        c.tick(1)
        compute(c)
        c.transmit(1)
        feed(c, reply[:cut], 100)
        c.receive(bytearray(1), 0, 1)
        assert down(c) == ("transport" if cut else "device key")


def test_nonce_of_another_length():
    c = channel()
    feed(c, field("server_nonce") + b"x", 100)
    assert down(c) == "transport"
    c = channel()
    feed(c, field("server_nonce")[:39], 100)
    assert c.event() is None
    c.tick(20000)
    assert down(c) == "transport"


def test_reply_changed_at_any_place():
    reply = field("server_reply")
    for at in range(0, len(reply), 29):
        c = channel()
        feed(c, field("server_nonce"), 100)
        c.tick(1)
        compute(c)
        c.transmit(1)
        bad = bytearray(reply)
        bad[at] ^= 1
        feed(c, bad, 100)
        c.tick(1)
        compute(c)
        # an undecryptable secret is our key's fault, everything else the server's signature
        assert down(c) in ("server key", "device key")
        if at >= 128:
            assert c.event() is None


def test_silence_ends_at_20_seconds():
    c = channel()
    assert c.deadline() == 20000
    c.tick(19999)
    assert c.event() is None
    c.tick(20000)
    assert down(c) == "transport"


def test_unsent_rest_is_offered_again():
    c = channel()
    feed(c, field("server_nonce"), 100)
    c.tick(1)
    compute(c)
    sent = b""
    for k in (200, 55, 1, 0):
        n = c.transmit(2)
        sent += bytes(c.out[: n - k])
        if k:
            c.unsent(k)
    assert sent == field("client_message")
    assert c.transmit(2) == 0
