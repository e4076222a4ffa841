"""The name of the cloud, asked from servers that are slow, silent, wrong or lying (RFC 1035).

One board asks for a name after the other: `particle.Cloud(server=NAME)` is a client of its own.
"""

import json
import socket
import time

import pytest

import ports
from e2e.name_server import GOOD, NameServer, packed, record
from particle_tools.local import wait_for
from process_sockets import family, sockets

SCALE = 8  # board seconds per second
NAMES = """
import gc, time
import particle

for name in {names}:
    client = particle.Cloud(server=name, port={port})
    client.function("size", lambda text: len(text))
    start = time.ticks_ms()
    try:
        client.connect({timeout}, background=False)
        print("result", name, "connected", time.ticks_diff(time.ticks_ms(), start), "-", "-")
        bool(client.publish("named", name, ack=True))
    except particle.Error as e:
        ms = time.ticks_diff(time.ticks_ms(), start)
        print("result", name, "error", ms, e.errno, e.stage, "|", e)
    client.disconnect()
    client = None
    gc.collect()
print("all asked")
particle.wait_until(lambda: False, 2)
"""


def good(query):
    return [query.answer(record(GOOD))]


def after(seconds):
    return lambda query: [seconds / SCALE, *good(query)]


def loop(query):
    # a name that points at itself
    at = len(query.data)
    return [query.answer(record(GOOD, name=bytes([0xC0 | at >> 8, at & 255])))]


ANSWERED = {
    "good": good,
    "upper-case": lambda q: [q.answer(record(GOOD), question=q.question.upper())],
    "no-compression": lambda q: [q.answer(record(GOOD, name=packed(q.name)))],
    "alias": lambda q: [
        q.answer(record(packed("real.test"), 5), record(GOOD, name=packed("real.test")))
    ],
    "ipv6-first": lambda q: [q.answer(record(bytes(15) + b"\1", 28), record(GOOD))],
    "pointing-at-itself": loop,
    "wrong-id-first": lambda q: [q.answer(record("127.0.0.2"), id_=q.other_id()), *good(q)],
    "garbage-first": lambda q: [b"", b"\0", bytes(300), q.data[:12], *good(q)],
    "own-question-first": lambda q: [q.data, *good(q)],
    "servfail-first": lambda q: [q.answer(flags=0x8182), *good(q)],
    "slow": after(0.5),
    "slower-than-the-first-try": after(2),
    "very-slow": after(5),
    # the first address refuses, the second is the cloud
    "first-refuses": lambda q: [q.answer(record("127.0.0.2"), record(GOOD))],
    "eight-addresses": lambda q: [
        q.answer(*(record("127.0.0.%d" % n) for n in (2, 3, 4, 5, 6, 7, 8)), record(GOOD))
    ],
}
UNANSWERED = {
    "silent": lambda q: [],
    "too-slow": after(7),
    "wrong-id": lambda q: [q.answer(record(GOOD), id_=q.other_id())],
    "wrong-question": lambda q: [
        q.answer(record(GOOD), question=packed("x.test") + q.question[-4:])
    ],
    "wrong-type": lambda q: [q.answer(record(GOOD), question=q.question[:-4] + b"\0\x1c\0\1")],
    "truncated-flag": lambda q: [q.answer(record(GOOD), flags=0x8380)],
    "not-an-answer": lambda q: [q.answer(record(GOOD), flags=0x0100)],
    "cut-short": lambda q: [q.answer(record(GOOD))[:-3]],
    "cut-in-the-name": lambda q: [q.answer(b"\x3fcloud", count=1)],
    "counts-too-many": lambda q: [q.answer(record(GOOD), count=9)],
    "length-beyond-the-end": lambda q: [
        q.answer(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\xff\xff" + bytes(4))
    ],
    "servfail": lambda q: [q.answer(flags=0x8182)],
    "refused": lambda q: [q.answer(flags=0x8185)],
    "garbage": lambda q: [bytes(range(256)) * 2, b"", b"\xff" * 512],
    "endless": lambda q: [q.answer(record(GOOD), id_=q.other_id())] * 300,
}
NO_ADDRESS = {
    "nxdomain": lambda q: [q.answer(flags=0x8183)],
    "no-address": lambda q: [q.answer()],
    "only-ipv6": lambda q: [q.answer(record(bytes(15) + b"\1", 28))],
    "address-of-three-bytes": lambda q: [q.answer(record(b"\x7f\0\0"))],
    "other-class": lambda q: [q.answer(record(GOOD, class_=3))],
}


def zone():
    """Return the whole zone: NAME.test behaves as NAME says."""
    return {f"{name}.test": f for name, f in {**ANSWERED, **UNANSWERED, **NO_ADDRESS}.items()}


def ask(desk, server, names, port, timeout, *, scale=SCALE):
    """Have a board connect to names; return (board, {name: (ms, errno, stage, text)})."""
    folder = desk.folder / "board"
    folder.mkdir(exist_ok=True)
    (folder / "radio.json").write_text(json.dumps({"dns": server}))
    names = [f"{name}.test" for name in names]
    program = NAMES.format(names=names, port=port, timeout=timeout)
    board = desk.board(program, options=("--time-scale", str(scale)))
    board.said("all asked", 90)
    found = {}
    for line in board.lines():
        if line.startswith("result "):
            line, _, text = line.partition(" | ")
            _, name, _, ms, errno, stage = line.split(" ", 5)
            found[name.removesuffix(".test")] = int(ms), errno, stage, text
    assert len(found) == len(names), board.output()
    return board, found


@pytest.fixture
def names():
    """Give a running name server."""
    server = NameServer(zone())
    yield server
    server.close()


def test_answers_that_lead_to_the_cloud(cloud, api, desk, events, names):
    board, found = ask(desk, names.address, ANSWERED, cloud.ready["tcp_port"], 40)
    assert {name: stage for name, (_, _, stage, _) in found.items() if stage != "-"} == {}
    for name in ANSWERED:
        event = events.wait("named", 30)
        assert (event["data"], event["coreid"]) == (f"{name}.test", board.device_id)
    assert api.usage(board.device_id)["handshakes"] == len(ANSWERED)
    # tries after 1.5, 3 and 6 s, a new question each
    assert names.count("slow.test") == 1
    assert names.count("slower-than-the-first-try.test") in (2, 3)
    assert names.count("very-slow.test") == 3
    # one address after the other, without asking again
    assert names.count("first-refuses.test") == 1
    assert names.count("eight-addresses.test") == 1
    assert found["first-refuses"][0] < 3000 + found["good"][0]
    assert len({query.id for query in names.asked}) > len(names.asked) * 0.9


def test_no_answer_ends_with_the_time_out(cloud, api, desk, names):
    # 11 s are longer than the three tries and shorter than the pause behind them
    scale = 20
    port = cloud.ready["tcp_port"]
    board, found = ask(desk, names.address, UNANSWERED, port, 11, scale=scale)
    for name, (ms, errno, stage, text) in found.items():
        assert (errno, stage) == ("-160", "DNS"), (name, found[name])
        # on a busy host the third try may still be under way
        assert "name not found: check the DNS server" in text or "no answer in time" in text
        assert 11000 <= ms < 11000 + 1000 * scale, (name, ms)
        assert names.count(f"{name}.test") in (2, 3), name
    assert "DNS: server name not found" in board.output()
    assert api.usage(board.device_id)["handshakes"] == 0
    # nothing of it is left
    assert [s for s in sockets(family(board.process.pid)) if s.protocol == "udp"] == []


def test_no_such_name_is_told_at_once_and_asked_again_later(cloud, api, desk, names):
    board, found = ask(desk, names.address, NO_ADDRESS, cloud.ready["tcp_port"], 4)
    for name, (ms, errno, stage, _) in found.items():
        assert (errno, stage) == ("-160", "DNS"), (name, found[name])
        assert 4000 <= ms < 4000 + 1000 * SCALE, (name, ms)
        # a second between the tries
        assert 3 <= names.count(f"{name}.test") <= 5, (name, names.count(f"{name}.test"))


def test_a_short_wait_names_the_stage_before_anything_failed(cloud, desk, names):
    _, found = ask(desk, names.address, ["silent"], cloud.ready["tcp_port"], 1)
    ms, errno, stage, _ = found["silent"]
    assert (errno, stage) == ("-160", "DNS")
    assert ms < 1000 + 500 * SCALE


def test_no_name_server_at_all(cloud, desk):
    _, found = ask(desk, f"127.0.0.1:{ports.take()}", ["good"], cloud.ready["tcp_port"], 12)
    assert found["good"][1:3] == ("-160", "DNS")


def test_the_question_is_asked_of_one_server_only(cloud, desk, names):
    # while it waits the board holds one socket, which takes datagrams of that server only
    folder = desk.folder / "board"
    folder.mkdir()
    (folder / "radio.json").write_text(json.dumps({"dns": names.address}))
    board = desk.board("import particle\nparticle.run()", server="silent.test:5683")
    assert wait_for(lambda: names.asked, 30)
    found = sockets(family(board.process.pid))
    assert [(s.protocol, s.connected) for s in found] == [("udp", True)]
    assert found[0].remote_port == int(names.address.rpartition(":")[2])


def test_first_address_of_two_is_a_black_hole(cloud, api, desk, names):
    # its listener's queue is full: SYNs get no answer, as behind a firewall
    with socket.socket() as dead, socket.socket() as filler:
        dead.bind(("127.0.0.2", cloud.ready["tcp_port"]))
        dead.listen(0)
        filler.connect(dead.getsockname())
        probe = socket.socket()
        probe.settimeout(0.3)
        try:
            probe.connect(dead.getsockname())
            raise AssertionError("this system answers although the queue is full")
        except TimeoutError:
            pass
        finally:
            probe.close()
        board, found = ask(desk, names.address, ["first-refuses"], cloud.ready["tcp_port"], 60)
    ms, _, stage, _ = found["first-refuses"]
    assert stage == "-", found
    assert 20000 <= ms < 30000, ms
    assert "port: server not reachable" in board.output()
    assert api.usage(board.device_id)["handshakes"] == 1


def test_all_addresses_lie(cloud, api, desk, names):
    # an answer that leads elsewhere cannot harm: whoever is there has not the cloud's key
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        port = listener.getsockname()[1]
        began = time.monotonic()
        _, found = ask(desk, names.address, ["good"], port, 3)
        assert time.monotonic() - began < 15
    assert found["good"][1:3] == ("-160", "transport")


def test_name_and_port_given_to_the_board(cloud, api, desk, names):
    folder = desk.folder / "board"
    folder.mkdir()
    (folder / "radio.json").write_text(json.dumps({"dns": names.address}))
    server = f"first-refuses.test:{cloud.ready['tcp_port']}"
    board = desk.remote(server=server)
    assert "127.0.0.2" in board.output()
    assert board.did(api, "particle.config('server')") == "= 'first-refuses.test'"
    # a connection that is lost asks for the name again
    api.post(f"/local/v1/devices/{board.device_id}/drop-session")
    assert wait_for(lambda: names.count("first-refuses.test") == 2, 30)
    assert wait_for(lambda: api.usage(board.device_id)["handshakes"] == 2, 30)
