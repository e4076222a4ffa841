"""Records, windows, fragments, cookies and hellos in every wrong form, without a socket."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud import dtls_client
from cloud.dtls_client import DtlsClient, handshake_message, plain_record
from particle_tools.cloud.dtls import keys as dtls_keys
from particle_tools.cloud.dtls import messages
from particle_tools.cloud.dtls import records as dtls_records
from particle_tools.cloud.dtls.connection import STEP, Connection, NoNumber
from particle_tools.cloud.dtls.cookie import Cookies
from particle_tools.cloud.dtls.fragments import Reassembly, fragments, parse_fragments
from particle_tools.cloud.dtls.messages import ClientHello, Malformed, Message
from particle_tools.cloud.dtls.records import Direction, Window, pack, split

BLOCK = bytes(range(40))


def hello_body(**form):
    return DtlsClient(None, b"", **form).hello_body()


# Records.


def test_split_and_what_follows_garbage():
    good = plain_record(22, 0, b"abc") + plain_record(20, 1, b"\x01")
    assert [r.body for r in split(good)] == [b"abc", b"\x01"]
    for rest in (b"\0", good[:12], good[:15], b"\x16\xfe\xfc" + good[3:], bytes(30)):
        assert len(split(good + rest)) == 2
    assert split(b"") == []
    assert split(plain_record(22, 0, b"")) == []  # no record is empty


@pytest.mark.parametrize("first", [b for b in range(256) if b not in (20, 21, 22, 23, 25, 253)])
def test_unknown_first_byte(first):
    assert split(bytes([first]) + plain_record(22, 0, bytes(60))[1:]) == []


def test_old_version_only_in_epoch_0():
    assert len(split(plain_record(22, 0, b"x", version=b"\xfe\xff"))) == 1
    assert split(plain_record(22, 0, b"x", 1, b"\xfe\xff")) == []
    assert split(plain_record(22, 0, b"x", version=b"\x03\x03")) == []


def test_records_never_fail_on_random_bytes():
    source = random.Random(1)
    for _ in range(5000):
        data = source.randbytes(source.randrange(80))
        if source.random() < 0.7:
            data = bytes([source.choice((20, 21, 22, 23, 25, 253))]) + b"\xfe\xfd" + data
        split(data)
        dtls_records.take_device_id(data)


def test_take_device_id():
    record = bytes(40)
    assert dtls_records.take_device_id(record + bytes(12) + b"\x0c")[0] == "00" * 12
    assert dtls_records.take_device_id(record + bytes(12) + b"\x0b") is None
    assert dtls_records.take_device_id(bytes(28) + bytes(12) + b"\x0c") is None


@pytest.mark.parametrize("cid", [b"", bytes(8), b"abcd"])
@pytest.mark.parametrize("standard", [False, True])
def test_every_bit_of_a_record_counts(cid, standard):
    direction = Direction(BLOCK[:16], BLOCK[32:36], cid, standard=standard)
    sealed = direction.seal(23, 7, b"content")
    header = 13 + len(cid)
    record = dtls_records.Record(sealed[0], 1, 7, cid, sealed[header:])
    assert direction.open(record) == (23, b"content")
    for bit in range(8 * len(record.body)):
        body = bytearray(record.body)
        body[bit // 8] ^= 1 << bit % 8
        assert direction.open(record._replace(body=bytes(body))) is None
    for wrong in ({"number": 8}, {"epoch": 2}, {"cid": b"12345678"}):
        assert direction.open(record._replace(**wrong)) is None
    for n in range(16):
        assert direction.open(record._replace(body=record.body[:n])) is None
    if not cid:
        assert direction.open(record._replace(kind=22)) is None


@pytest.mark.parametrize("zeros", [0, 1, 2, 5, 8, 15, 1100])
def test_padding_of_any_length(zeros):
    from cloud.dtls_client import Keys

    record = split(Keys(BLOCK, b"12345678").seal(b"data\0", pad=zeros))[0]
    assert Connection(BLOCK, b"12345678", b"").receive(record)[:2] == (23, b"data\0")


def test_a_record_without_inner_type():
    from cloud.dtls_client import Keys

    keys = Keys(BLOCK, b"12345678")
    record = split(keys.seal(b"", kind=0, pad=3))[0]
    assert Connection(BLOCK, b"12345678", b"").receive(record)[:2] == (0, b"")


def test_window():
    window = Window()
    assert window.fresh(1000) and window.use(1000)  # the first need not be 0 (2.8)
    assert not window.fresh(1000)
    assert window.fresh(1000 - 63) and not window.fresh(1000 - 64)
    assert not window.use(937)
    assert not window.fresh(937) and window.fresh(938)
    for jump in (1, 63, 64, 65, 1000, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 47):
        top = window.top
        assert window.fresh(top + jump) and window.use(top + jump)
        assert not window.fresh(top + jump)
        assert window.fresh(top) is False
    assert window.fresh((1 << 48) - 1)


def test_window_against_a_set():
    source = random.Random(2)
    window, used, top = Window(), set(), -1
    for _ in range(20000):
        number = max(0, top + source.randrange(-80, 12))
        fresh = number not in used and number > top - 64
        assert window.fresh(number) == fresh
        if fresh:
            assert window.use(number) == (number > top)
            used.add(number)
            top = max(top, number)


def test_pack_keeps_order_and_limit():
    pieces = [bytes([i]) * 300 for i in range(10)]
    packed = pack(pieces, 1000)
    assert b"".join(packed) == b"".join(pieces) and [len(p) for p in packed] == [900] * 3 + [300]
    assert pack([bytes(1500), b"x"], 1000) == [bytes(1500), b"x"]
    assert pack([], 1000) == []


def test_numbers_end_where_the_reservation_ends():
    connection = Connection(BLOCK, b"", b"", number=10)
    for number in range(10, 10 + STEP):
        assert int.from_bytes(connection.seal(23, b"")[5:11], "big") == number
    with pytest.raises(NoNumber):
        connection.seal(23, b"")
    connection.limit += 1
    connection.seal(23, b"")
    connection.number, connection.limit = (1 << 48) - 1, 1 << 50
    with pytest.raises(NoNumber):
        connection.seal(23, b"")


# Handshake messages.


@pytest.mark.parametrize("room", [13, 20, 100, 5000])
def test_fragments_in_any_order_and_twice(room):
    source = random.Random(room)
    flight = [Message(11, 5, source.randbytes(94)), Message(14, 6, b""), Message(20, 7, b"fin")]
    pieces = [piece for message in flight for piece in fragments(message, room)] * 2
    assert all(len(piece) <= max(room, 13) for piece in pieces)
    source.shuffle(pieces)
    reassembly, found = Reassembly(5), []
    for piece in pieces:
        for fragment in parse_fragments(piece):
            if fragment.number >= reassembly.number:
                reassembly.add(fragment)
        while (message := reassembly.take()) is not None:
            found.append(message)
    assert found == flight


def test_overlapping_and_contradicting_fragments():
    reassembly = Reassembly(0)
    body = bytes(range(50))
    for at, n in ((10, 30), (0, 20), (5, 5)):
        (fragment,) = parse_fragments(handshake_message(11, 0, body, at, n))
        reassembly.add(fragment)
    assert reassembly.take() is None
    reassembly.add(parse_fragments(handshake_message(11, 0, body, 40, 10))[0])
    reassembly.add(parse_fragments(handshake_message(11, 0, b"x" * 50, 3, 4))[0])
    assert reassembly.take() == Message(11, 0, body)


@pytest.mark.parametrize("step", [50, 20, 1])
@pytest.mark.parametrize(
    "forged",
    [
        handshake_message(12, 0, bytes(2), 0, 1),
        handshake_message(11, 0, bytes(51), 0, 1),
        handshake_message(11, 0, b"x" * 50, 0, 49),
    ],
)
def test_a_repetition_takes_the_place_of_what_contradicts(step, forged):
    reassembly, body = Reassembly(0), bytes(range(50))
    reassembly.add(parse_fragments(forged)[0])
    for at in range(0, 50, step):
        reassembly.add(parse_fragments(handshake_message(11, 0, body, at, step))[0])
    assert reassembly.take() == Message(11, 0, body)


def test_protected_messages_have_places_of_their_own():
    reassembly = Reassembly(0)
    finished = parse_fragments(handshake_message(20, 0, b"fin"))[0]
    reassembly.add(finished, protected=True)
    reassembly.add(parse_fragments(handshake_message(99, 0, bytes(2)))[0])
    assert reassembly.take(protected=True) == Message(20, 0, b"fin")
    assert not reassembly._partial


def test_keys_in_any_other_form():
    spki = dtls_client.spki(ec.generate_private_key(ec.SECP256R1()))
    assert dtls_keys.checked_spki(spki) == spki
    front, x, y = spki[:26], spki[27:59], spki[59:]
    hybrid = front + bytes([6 + (y[-1] & 1)]) + x + y
    inner = spki[2:23] + b"\x03\x22\x00" + bytes([2 + (y[-1] & 1)]) + x
    compressed = b"\x30" + bytes([len(inner)]) + inner
    for other in (hybrid, compressed, spki + b"\0", spki[:-1], b""):
        with pytest.raises(ValueError):
            dtls_keys.checked_spki(other)


def test_reassembly_is_bounded():
    reassembly = Reassembly(0)
    with pytest.raises(Malformed):
        reassembly.add(parse_fragments(handshake_message(11, 0, bytes(5000), 0, 1))[0])
    for number in range(6, 1000):
        reassembly.add(parse_fragments(handshake_message(11, number, b"far ahead"))[0])
    assert not reassembly._partial


@pytest.mark.parametrize(
    "data",
    [
        bytes(11),
        handshake_message(11, 0, b"body")[:-1],
        handshake_message(11, 0, b"body") + b"\0",
        b"\x0b\0\0\4\0\0\0\0\2\0\0\3abc",  # 3 bytes at 2 of 4
    ],
)
def test_malformed_fragments(data):
    with pytest.raises(Malformed):
        parse_fragments(data)


def test_hello_in_every_truncation_and_with_every_byte_changed():
    body = hello_body()
    offer = ClientHello.parse(body)
    assert offer.suites == (0xC0AE, 0xFF) and list(offer.extensions) == [13, 10, 11, 254, 19, 20]
    without = 34 + 1 + 1 + 2 + 4 + 2  # a hello may end before its extensions
    for n in range(len(body)):
        if n != without:
            with pytest.raises(Malformed):
                ClientHello.parse(body[:n])
    with pytest.raises(Malformed):
        ClientHello.parse(body + b"\0")
    source = random.Random(3)
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1 << source.randrange(8)
        try:
            offer = ClientHello.parse(bytes(changed))
            messages.curve_offered(offer)
            offer.cid(254)
        except Malformed:
            pass


@pytest.mark.parametrize(
    "form",
    [
        {"suites": ()},
        {"bodies": {13: b"\0"}},
        {"bodies": {13: b"\0\x03\4\3\4"}},
        {"bodies": {10: b"\0\4\0\x17"}},
    ],
)
def test_lists_that_do_not_fit(form):
    try:
        offer = ClientHello.parse(hello_body(**form))
        found = messages.signature_offered(offer) and messages.curve_offered(offer)
    except Malformed:
        return
    assert not found or not offer.suites


def test_an_extension_twice():
    with pytest.raises(Malformed):
        ClientHello.parse(hello_body(extensions=(13, 10, 13)))


def test_cookies():
    now = [0.0]
    cookies = Cookies(lambda: now[0])
    client = DtlsClient(None, b"")
    offer = ClientHello.parse(client.hello_body())
    client.cookie = cookies.make(("10.0.0.1", 5), offer)
    again = ClientHello.parse(client.hello_body())
    assert cookies.good(("10.0.0.1", 5), again)
    for address in (("10.0.0.1", 6), ("10.0.0.2", 5)):
        assert not cookies.good(address, again)
    other = DtlsClient(None, b"")
    other.cookie = client.cookie
    assert not cookies.good(("10.0.0.1", 5), ClientHello.parse(other.hello_body()))
    assert not cookies.good(("10.0.0.1", 5), offer)
    now[0] = 61
    assert cookies.good(("10.0.0.1", 5), again)
    now[0] = 125
    assert not cookies.good(("10.0.0.1", 5), again)
    client.cookie = cookies.make(("10.0.0.1", 5), offer)
    now[0] = 1000
    assert not cookies.good(("10.0.0.1", 5), ClientHello.parse(client.hello_body()))
    assert not Cookies(lambda: 0.0).good(("10.0.0.1", 5), again)


@pytest.mark.parametrize(
    "point", [b"", bytes(65), b"\x04" + bytes(64), b"\x02" + bytes(32), b"\x04" * 65, bytes(64)]
)
def test_points_off_the_curve(point):
    with pytest.raises(ValueError):
        dtls_keys.Ephemeral().agree(point)
