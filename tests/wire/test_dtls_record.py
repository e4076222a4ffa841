"""DTLS records (cloud-protocol 2.3, 2.8, 9.3): vectors, a real session, windows, damage."""

from binascii import hexlify, unhexlify

import micropython

from particle.wire.dtls_record import Records
from support import rng, session_lines, vectors

V = vectors("coap-messages.json")["dtls"]
BLOCK = unhexlify(V["key_block"])
CID = unhexlify(V["cid"])
# of cloud-protocol 9.3 only
UNPADDED = (
    "fdfefd0001000000000007a1a2a3a4a5a6a7a80015000100000000000780f1da29e223761d265300d0fd",
    "fdfefd0001000000000008a1a2a3a4a5a6a7a80021000100000000000878c03da4316e3831e501483ce536deb9"
    + "a9ebb133160adcb320",
)


def swap(block):
    """Turn the key block of one side into that of the other."""
    return block[16:32] + block[:16] + block[36:] + block[32:36]


def device(pad=0, block=BLOCK, cid=CID, fast=True):
    r = Records(pad)
    r.keys(block, cid, b"", fast)
    return r


def cloud(block=BLOCK, cid=CID, own=b"", fast=True):
    """Return what reads records with a connection ID, and writes such with `own`."""
    r = Records()
    r.keys(swap(block), own, cid, fast)
    return r


def at_number(r, n):
    r.hi = n >> 24
    r.lo = n & 0xFFFFFF


def sealed(r, content, kind=23, at=0):
    buf = bytearray(at + 1600)
    head = at + r.head()
    buf[head : head + len(content)] = content
    n = r.seal(kind, buf, at, len(content))
    return bytes(buf[at : at + n])


def contents(r, datagram, at=0):
    """Return (type, content) of each record that is read."""
    buf = bytearray(at) + bytearray(datagram)
    out = []
    while at < len(buf):
        stop = r.open(buf, at, len(buf))
        assert at < stop <= len(buf)
        if r.type:
            out.append((r.type, bytes(buf[r.at : r.at + r.n])))
        at = stop
    return out


def vector(name):
    return next(r for r in V["records"] if r["name"] == name)


def test_records_of_the_device():
    for name, pad, moved in (
        ("cid_application_data", 15, False),
        ("cid_resume", 15, True),
        ("cid_event", 15, False),
    ):
        v = vector(name)
        content = unhexlify(v["inner_plaintext"]).rstrip(b"\x00")[:-1]
        for at in (0, 1, 100):
            r = device(pad)
            r.moved = moved
            at_number(r, v["sequence"])
            record = hexlify(sealed(r, content, 23, at)).decode()
            # only the first record of a datagram says that the session has moved
            assert record == ("19" + v["record"][2:] if at else v["record"])
            assert r.lo == v["sequence"] + 1
            assert contents(cloud(), unhexlify(v["record"]), at) == [(23, content)]


def test_records_without_padding():
    for n, record in enumerate(UNPADDED):
        content = (unhexlify("40000102"), unhexlify("40020008b1450474656d70ff32332e35"))[n]
        r = device()
        r.moved = True
        at_number(r, 7 + n)
        assert hexlify(sealed(r, content)).decode() == record
        assert contents(cloud(), unhexlify(record)) == [(23, content)]


def test_record_of_the_cloud():
    v = vector("server_reply")
    assert contents(device(), unhexlify(v["record"])) == [(23, unhexlify("60000102"))]
    r = cloud()
    at_number(r, v["sequence"])
    assert hexlify(sealed(r, unhexlify("60000102"))).decode() == v["record"]


def test_a_real_session_record_by_record():
    lines = session_lines()
    head = next(lines)
    block = unhexlify(head["key_block"])
    cid = unhexlify(head["cid"])
    ours, theirs = device(0, block, cid), cloud(block, cid)
    count = 0
    for line in lines:
        if "raw" not in line:
            continue
        up = line["dir"] == "D>S"
        reader, writer = (theirs, ours) if up else (ours, theirs)
        raw = unhexlify(line["raw"])
        buf = bytearray(raw)
        assert reader.open(buf, 0, len(buf)) == len(raw)
        fact = line["rec"]
        plain = line.get("inner") or line.get("coap")
        if not fact["epoch"]:
            assert reader.type == fact["type"] and reader.n == fact["len"]
            again = bytearray(1600)
            writer._plain = fact["seq"]
            n = writer.plain(reader.type, again, 0, bytes(raw[reader.at :]))
            assert bytes(again[:n]) == raw
            continue
        content = bytes(buf[reader.at : reader.at + reader.n])
        if plain:  # the server's Finished is not given in clear
            assert hexlify(content).decode() == plain, line
        assert reader.type == (22 if "hs" in line else 23)
        # and back
        writer._pad = 15 if up else 0
        writer.moved = fact["type"] == 253
        at_number(writer, fact["seq"])
        assert sealed(writer, content, reader.type) == raw
        count += 1
    assert count == 190
    assert ours.top_lo == theirs.top_lo == 94


def test_any_padding_is_removed():
    r = cloud()
    d = device()
    for pad in (0, 1, 2, 5, 8, 15, 16, 200, 1100):
        # `seal` writes the type behind what it is given: here it is the last zero
        inner = b"\x40\x02\x00\x08x\x17" + bytes(pad)
        assert contents(r, sealed(d, inner[:-1], inner[-1])) == [(23, inner[:5])]


def test_contents_without_a_type_are_ignored():
    for n in (0, 1, 17):
        r = cloud()
        assert contents(r, sealed(device(), bytes(n), 0)) == []
        assert r.window[0] == 1  # but it was received


def test_types_are_given_as_they_are():
    d, r = device(), cloud()
    for kind in (20, 21, 22, 23, 24, 99):
        assert contents(r, sealed(d, b"abc", kind)) == [(kind, b"abc")]


def test_own_connection_id_both_ways():
    r = cloud(own=b"\x01\x02\x03\x04")
    d = Records()
    d.keys(BLOCK, CID, b"\x01\x02\x03\x04")
    datagram = sealed(r, b"hello")
    assert datagram[:1] == b"\x19" and datagram[11:15] == b"\x01\x02\x03\x04"
    assert contents(d, datagram) == [(23, b"hello")]
    # who has an ID refuses ordinary records and other IDs
    r.cid = b""
    assert contents(d, sealed(r, b"hello")) == []
    r.cid = b"\x01\x02\x03\x05"
    assert contents(d, sealed(r, b"hello")) == []
    assert contents(device(), datagram) == []


def test_replay_window():
    numbers = [0, 1, 63, 64, 5, 1, 0, 65, 2, 1, 200, 136, 137, 138, 137, 1000, 936, 937, 200]
    numbers += [1 << 20, (1 << 20) - 63, (1 << 20) - 64, (1 << 24) - 1, 1 << 24, (1 << 24) - 1]
    numbers += [(1 << 24) + 62, 1 << 24, (1 << 24) - 2, (1 << 24) - 1, (1 << 25) + 3, 1 << 31]
    numbers += [(1 << 31) - 1, 1 << 32, (1 << 32) + 1, 1 << 32, 1 << 40, 1 << 47, (1 << 48) - 1]
    numbers += [(1 << 48) - 1, (1 << 48) - 64, (1 << 48) - 65, 7, 1 << 24]
    take = rng(3)
    top = (1 << 24) * 5
    near = []
    for x in take(400):
        near.append(top - 100 + x)
    for sequence in (numbers, near):
        writer, reader = cloud(), device()
        seen = set()
        top = 0
        for n in sequence:
            at_number(writer, n)
            got = contents(reader, sealed(writer, b"x"))
            wanted = n not in seen and n > top - 64
            assert got == ([(23, b"x")] if wanted else []), n
            if wanted:
                seen.add(n)
                top = max(top, n)
        assert reader.top_hi << 24 | reader.top_lo == top


def test_a_number_counts_only_when_the_record_was_good():
    writer, reader = cloud(), device()
    at_number(writer, 1 << 40)
    bad = bytearray(sealed(writer, b"far ahead"))
    bad[-1] ^= 1
    assert contents(reader, bad) == []
    assert reader.top_hi == 0 and reader.top_lo == 0
    at_number(writer, 1 << 40)
    assert contents(reader, sealed(writer, b"x")) == [(23, b"x")]


def test_numbers_go_on_over_the_halves():
    d = device()
    at_number(d, (1 << 24) - 1)
    assert sealed(d, b"")[5:11] == unhexlify("000000ffffff")
    assert sealed(d, b"")[5:11] == unhexlify("000001000000")
    assert (d.hi, d.lo) == (1, 1)
    at_number(d, (1 << 47) + 5)
    record = sealed(d, b"x")
    assert record[5:11] == unhexlify("800000000005")
    assert contents(cloud(), record) == [(23, b"x")]


def test_several_records_in_a_datagram():
    for count in (2, 5, 10, 29):
        writer, reader = cloud(), device()
        datagram = b"".join([sealed(writer, bytes([i] * i)) for i in range(count)])
        assert contents(reader, datagram) == [(23, bytes([i] * i)) for i in range(count)]
        assert contents(reader, datagram) == []


def test_stray_bytes_and_truncation():
    for stray in range(30):
        writer, reader = cloud(), device()
        datagram = sealed(writer, b"one") + sealed(writer, b"two")
        tail = bytes([22] * stray)
        assert contents(reader, datagram + tail)[:2] == [(23, b"one"), (23, b"two")]
    whole = sealed(cloud(), b"one")
    for cut in range(len(whole)):
        reader = device()
        assert contents(reader, whole[:cut]) == []
        assert contents(reader, whole) == [(23, b"one")]


def test_a_bad_record_in_front_is_skipped():
    for at, bits in ((0, 64), (1, 1), (2, 1), (3, 1), (4, 3), (5, 1), (14, 0), (15, 1), (30, 1)):
        writer, reader = cloud(), device()
        good = sealed(writer, b"good")
        bad = bytearray(sealed(writer, b"bad."))
        bad[at] ^= bits
        wanted = [(23, b"good")] if bits else [(23, b"bad."), (23, b"good")]
        if (at, bits) == (4, 3):
            wanted = [(23, b"good")]  # epoch 2
        assert contents(reader, bytes(bad) + good) == wanted, at


def test_epochs():
    for epoch in (2, 3, 255, 256, 257, 65535):
        bad = bytearray(sealed(cloud(), b"x"))
        bad[3] = epoch >> 8
        bad[4] = epoch & 255
        assert contents(device(), bad) == []
    # before there are keys only epoch 0 is read, with any DTLS version
    r = Records()
    assert contents(r, sealed(cloud(), b"x")) == []
    buf = bytearray(100)
    n = Records().plain(22, buf, 0, b"hello")
    assert contents(r, buf[:n]) == [(22, b"hello")] and r.epoch == 0
    buf[2] = 0xFF
    assert contents(r, buf[:n]) == [(22, b"hello")]
    buf[1] = 3
    assert contents(r, buf[:n]) == []


def test_short_records():
    for n in range(16):
        record = bytearray(sealed(cloud(), b"x")[: 13 + n])
        record[11] = 0
        record[12] = n
        assert contents(device(), record) == []


def test_nothing_is_allocated_for_a_received_record():
    writer, reader = cloud(), device(fast=False)
    for number in (5, 7, (1 << 24) + 5, 1 << 40, (1 << 47) + 1):
        at_number(writer, number)
        good = bytearray(sealed(writer, b"x" * 200) + sealed(writer, b"y"))
        bad = bytearray(sealed(writer, b"x" * 200))
        bad[100] ^= 1
        old = bytearray(good)
        good_n, bad_n = len(good), len(bad)
        micropython.heap_lock()
        try:
            middle = reader.open(good, 0, good_n)
            first = reader.type
            reader.open(good, middle, good_n)
            second = reader.type
            reader.open(bad, 0, bad_n)
            third = reader.type
            reader.open(old, 0, good_n)
            fourth = reader.type
        finally:
            micropython.heap_unlock()
        assert (first, second, third, fourth) == (23, 23, 0, 0)
    # with a connection ID
    reader = cloud(fast=False)
    record = bytearray(sealed(device(15), b"x" * 200))
    n = len(record)
    micropython.heap_lock()
    try:
        reader.open(record, 0, n)
    finally:
        micropython.heap_unlock()
    assert reader.type == 23 and reader.n == 200


def test_nothing_is_allocated_for_a_sent_record():
    d = device(15, fast=False)
    buf = bytearray(400)
    at_number(d, (1 << 40) + 3)
    micropython.heap_lock()
    try:
        n = d.seal(23, buf, 0, 200)
    finally:
        micropython.heap_unlock()
    assert n == 29 + 208 + 8
