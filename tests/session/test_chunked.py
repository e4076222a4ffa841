"""Updates of the older protocol, slow and fast (cloud-protocol 5.1)."""

import struct
from binascii import crc32

from particle.errors import UpdateError
from particle.session.chunked import Chunked
from update_world import World

IMAGE = bytes([i * 11 & 255 for i in range(1200)])
SIZE = len(IMAGE)
NON = 1


class Sending(World):
    """The cloud's side. tcp: the transport loses nothing, answers are not confirmable."""

    def __init__(self, tcp=False, chunk=512):
        super().__init__(Chunked)
        if tcp:
            self.conn._type = NON
        self.chunk = chunk

    def begin(self, fast=False, size=SIZE, store=0, path=b"u", token=b"\x40"):
        data = struct.pack(">BHIBI", fast, self.chunk, size, store, 0)
        self.say(0, 2, b"\xb1" + path + b"\xff" + data, token)
        got = self.take()
        self.step()
        return got + self.take()

    def begun(self, fast=False):
        ack, ready = self.begin(fast)
        assert (ack.type, ack.code) == (2, 0)
        assert (ready.code, ready.token) == (0x44, b"\x40")
        self.fast = ready.payload == b"\x01"
        return self

    def send(self, index, data=None, crc=None, type=0):
        data = IMAGE[index * self.chunk : (index + 1) * self.chunk] if data is None else data
        crc = crc32(data) & 0xFFFFFFFF if crc is None else crc
        rest = b"\xb1c\x44" + struct.pack(">I", crc)
        if self.fast:
            rest += b"\x02" + struct.pack(">H", index)
        self.say(type, 2, rest + b"\xff" + data, b"\x41")
        return [(m.type, m.code, m.token) for m in self.take()]

    def done(self):
        self.say(0, 3, b"\xb1u", b"\x42")
        self.step()
        return self.take()


def test_slow():
    w = Sending().begun()
    assert not w.fast
    for i in range(3):
        assert w.send(i) == [(2, 0, b""), (0, 0x44, b"\x41")]
    assert w.target.data == IMAGE
    (result,) = w.done()
    assert (result.type, result.code, result.token) == (2, 0x44, b"\x42")
    assert result.payload == b'{"r":0}'
    assert w.completed == 1 and w.told_of == [0, 2, 2, 2, 1]


def test_slow_with_a_wrong_checksum():
    w = Sending(tcp=True).begun()
    assert w.send(0, crc=1) == [(2, 0, b""), (NON, 0x80, b"\x41")]
    assert w.send(0) == [(2, 0, b""), (NON, 0x44, b"\x41")]
    for data in (IMAGE[:511], IMAGE[:513]):
        assert w.send(1, data)[-1][1] == 0x80
    assert w.target.stored == 512


def test_fast_is_for_a_transport_that_loses_nothing():
    assert not Sending().begun(True).fast
    w = Sending(tcp=True).begun(True)
    assert w.fast
    for i in range(3):
        assert w.send(i, type=1) == [] and w.send(i, type=0) == []
    assert w.target.data == IMAGE
    assert w.done()[0].payload == b'{"r":0}'
    assert w.completed == 1


def test_last_chunk_filled_up():
    for tcp in (False, True):
        w = Sending(tcp).begun(tcp)
        w.send(0)
        w.send(1)
        w.send(2, IMAGE[1024:] + bytes(512 - 176))
        assert w.target.data == IMAGE


def test_missing_chunks_are_asked_for():
    w = Sending(tcp=True).begun(True)
    w.send(0)
    w.send(1, crc=5)
    w.send(2)
    ack, asked = w.done()
    assert (ack.type, ack.code) == (2, 0x80)
    assert (asked.type, asked.code, asked.path, asked.token) == (NON, 1, "c", b"")
    assert asked.payload == b"\0\1\0\2"
    w.send(1)
    w.send(2)
    assert w.done()[0].payload == b'{"r":0}'
    assert w.target.data == IMAGE


def test_list_of_missing_chunks_is_short():
    w = Sending(tcp=True)
    w.begin(True, 512 * 300)
    w.fast = True
    for _ in range(6):
        w.send(7, bytes(512))
    asked = w.done()[1]
    assert asked.payload == b"".join([struct.pack(">H", i) for i in range(8)])
    for i in range(1, 101):
        w.send(i, bytes(512))
    assert len(w.done()[1].payload) == 80
    assert len(w.done()[1].payload) == 4


def test_refusals():
    for options in (
        {"size": 0},
        {"store": 1},
        {"store": 128},
        {"path": b"s", "store": 1},
        {"size": 512 * 65536},
        {"size": 1 << 31},
    ):
        w = Sending()
        (got,) = w.begin(**options)
        assert (got.type, got.code, got.token) == (2, 0xA3, b"\x40"), options
        assert got.payload.startswith(b'{"code":-240,"message":"')
        assert not w.transfer.active()
    w = Sending(chunk=0)
    assert w.begin()[0].code == 0xA3
    w = Sending()
    w.say(0, 2, b"\xb1u", b"\x40")  # without a payload
    assert w.take()[0].code == 0xA3
    w.say(0, 2, b"\xb1u\xff" + bytes(11), b"\x40")
    assert w.take()[0].code == 0xA3
    # always 5.03, and the reason for clouds that read it
    w.refused = -120, "this board takes no updates"
    (got,) = w.begin()
    assert (got.type, got.code) == (2, 0xA3)
    assert got.payload == b'{"code":-120,"message":"this board takes no updates"}'
    w.refused = None
    w.target.error = "begin", UpdateError(-1351, "no room")
    ack, got = w.begin()
    assert (ack.code, got.code, got.payload) == (0, 0xA3, b'{"code":-1351,"message":"no room"}')
    assert not w.transfer.active() and w.told_of == []


def test_begin_for_saving_is_the_same():
    w = Sending()
    assert [m.code for m in w.begin(path=b"s")] == [0, 0x44]


def test_what_comes_without_an_update():
    w = Sending(tcp=True)
    w.fast = True
    assert w.send(0) == []
    (result,) = w.done()
    assert (result.code, result.payload) == (0x44, b'{"r":-210}')


def test_image_that_is_refused():
    w = Sending().begun()
    for i in range(3):
        w.send(i)
    w.target.error = "verify", UpdateError(-1360, "another board")
    (result,) = w.done()
    assert (result.code, result.payload) == (0x44, b'{"r":-1360}')
    assert w.told_of[-1] == -1 and not w.completed


def test_bad_options_of_a_chunk():
    w = Sending().begun()
    part = b"\xff" + IMAGE[:512]
    for rest in (b"\xb1c", b"\xb1c\x43abc", b"\xb1c\x44abcd\x01a", b"\xb1c\x45abcde"):
        w.say(0, 2, rest + part, b"\x41")
        assert [m.code for m in w.take()] == [0, 0x80]
    assert w.target.stored == 0


def test_flash_that_fails_and_silence():
    w = Sending().begun()
    w.target.error = "write", OSError(5)
    w.send(0)
    assert not w.transfer.active()
    w.pass_(30)
    assert w.downs == [("cloud", -1390)]
    w = Sending().begun()
    w.now += 300000
    w.transfer.tick(w.now)
    assert not w.transfer.active() and w.told_of[-1] == -1


def test_begin_again_starts_from_the_beginning():
    w = Sending().begun()
    w.send(0)
    w.begun()
    for i in range(3):
        w.send(i)
    assert w.target.data == IMAGE
    assert w.told_of[:4] == [0, 2, -1, 0]
