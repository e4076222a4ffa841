"""What real devices said, said again: every message is answered as in the recorded exchange.

Device OS 6.2.0 with the recorded records themselves, under the recorded keys; Device OS 6.2.0 and
2.3.1 from the transcript, by a client that makes datagrams of the recorded sizes.
"""

import contextlib
import json
import re
from pathlib import Path

import pytest

import ports
from cloud import real_session
from cloud.device import pack, unpack
from cloud.dtls_client import DEVICE_OS, OLD_DEVICE_OS, Keys, records
from cloud.running import USER, Api, Running, provision_ec
from cloud.test_session import run_beside
from particle_tools.cloud.dtls import records as dtls_records
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.udp.store import State, Stored

REAL = real_session.facts()
ID = "0123456789abcdef01234567"
TRANSCRIPT = Path(__file__).parents[1] / "vectors" / "deviceos-transcript.txt"
_FIRST_NUMBER = 1 << 16  # of our records, so that none equals a recorded one


@pytest.fixture(scope="module")
def time_stands():
    return True


@pytest.fixture
def known(tmp_path):
    """A cloud that finds the recorded session on storage when it starts."""
    settings = Settings(data=tmp_path / "d", user=USER)
    running = Running(settings)
    provision_ec(Api(running.url).login(), real_session.private_key("device"), ID)
    hello = bytes.fromhex(real_session.steps()[0][1][0]["coap"])[7:]
    first_mid = unpack(bytes.fromhex(real_session.steps()[1][1][0]["coap"])).mid
    state = State(("127.0.0.1", 1), 0, 1, _FIRST_NUMBER, first_mid - 1, 4e9, 25.0, False)
    stored = Stored(ID, REAL["cid"], b"", False, REAL["key_block"], hello, state)
    store = running.cloud._udp.store
    spki = running.call(running.services.devices.key, ID, "ec")
    assert running.run(store.replace(stored, spki))
    running.stop()
    running = Running(settings, held=True)
    yield running
    running.stop()


class Player:
    """Sends recorded records from recorded ports (one socket for each)."""

    def __init__(self, port):
        self.port = port
        self.keys = Keys(REAL["key_block"], REAL["cid"])
        self.sockets = {}
        self.waiting = []
        self.sock = None

    def send(self, line):
        name = line["port"]
        if name not in self.sockets:
            self.sockets[name] = ports.dial(self.port)
            self.sockets[name].settimeout(30)
        self.sock = self.sockets[name]
        self.sock.send(bytes.fromhex(line["raw"]))

    def recv(self):
        while not self.waiting:
            self.waiting = [self.keys.open(r)[2] for r in records(self.sock.recv(65536))]
        return self.waiting.pop(0)

    def close(self):
        for sock in self.sockets.values():
            sock.close()


class Rest:
    """What made the recorded server send its requests."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.api = Api(cloud.url).login()
        self.results = []

    def session(self):
        return self.cloud.services.sessions.get(ID)

    def start(self, message):
        """Have the request sent that was recorded; False if this cloud has no such request."""
        kind = message.path[0] if message.path else "ping"
        if message.token:
            self.session().exchanges._last = message.token[0] - 1
        query = message.all(15)
        if message.path == ["v", "nosuch"]:  # REST knows from the Describe that there is none
            self.spawn(lambda session: session.read("nosuch", None))
        elif kind == "v":
            value = run_beside(self.api, "GET", f"/v1/devices/{ID}/{message.path[1]}")
            self.results.append(lambda: value()[1]["result"])
        elif kind == "f":
            path, body = f"/v1/devices/{ID}/{message.path[1]}", {"arg": query[0].decode()}
            result = run_beside(self.api, "POST", path, body)
            self.results.append(lambda: result()[1]["return_value"])
        elif kind == "s":
            on = str(query[0][0])
            run_beside(self.api, "PUT", f"/v1/devices/{ID}", {"signal": on})
        elif kind == "ping":
            run_beside(self.api, "PUT", f"/v1/devices/{ID}/ping")
        elif kind == "d":
            self.spawn(lambda session: session.describe(query[0][0]))
        elif kind == "E":
            name, form = "/".join(message.path[1:]), message.all(12)
            number = int.from_bytes(form[0], "big") if form else 0
            self.call(lambda session: session.send_event(name, message.payload, number))
        else:
            self.call(lambda session: session.next_mid())  # ledger, update: later issues
            return False
        return True

    def call(self, function):
        self.cloud.call(function, self.session())

    def spawn(self, make):
        async def quiet(session):
            with contextlib.suppress(DeviceError):
                await make(session)

        self.call(lambda session: session.spawn(quiet(session)))


def same(answer, recorded):
    """Compare an answer with the recorded one; the clock and the ledgers are others."""
    ours, theirs = unpack(answer), unpack(recorded)
    if theirs.code == 0x45:
        assert len(answer) == len(recorded) and ours.options == theirs.options == []
    elif theirs.code == 0x44 and ours.payload:
        assert ours.payload in (b"\x1a\x00", b"\x08\x04")
    else:
        assert answer.hex() == recorded.hex()
    assert (ours.type, ours.code, ours.mid, ours.token) == (
        theirs.type,
        theirs.code,
        theirs.mid,
        theirs.token,
    )


def test_the_whole_session_of_6_2_0(known):
    """From Hello to the last resume: variables, functions, events, signal, pings, goodbye."""
    player, rest = Player(known.udp_port), Rest(known)
    compared, skipped = 0, []
    for heading, lines in real_session.steps():
        for line in lines:
            recorded = bytes.fromhex(line["coap"])
            if line["dir"] == "D>S":
                player.send(line)
                continue
            theirs = unpack(recorded)
            if theirs.type == 2:
                same(player.recv(), recorded)
                compared += 1
            elif theirs.type == 1 or not rest.start(theirs):
                if theirs.type == 1:
                    rest.call(lambda session: session.next_mid())
                skipped.append((heading, theirs.path))
            else:
                assert player.recv().hex() == line["coap"], heading
                compared += 1
    player.close()
    values = [result() for result in rest.results]
    assert values[:5] == [7, 21.5, "hello", True, 42] and set(values[5:]) == {-3}
    sent = [line for _, lines in real_session.steps() for line in lines if line["dir"] == "S>D"]
    assert compared == len(sent) - len(skipped) == 85
    assert {path[0] for _, path in skipped} == {"L", "S", "C", "F"}
    services = known.services
    usage = known.call(services.usage.of, ID)
    assert usage.resumes == 1 + 3  # the restart of the cloud, and the device's own
    session = services.sessions.get(ID)
    prefixes = [s.prefix for s in session.subscriptions]
    assert prefixes == ["particle", "spark", "vdev/in", "vdev/typed", "vdev/bin"]
    description = known.call(services.devices.description, ID)
    assert description.functions == ["setCounter", "cmd"]
    assert description.variables == {"counter": 2, "temp": 9, "greeting": 4, "lamp": 1}
    assert session.own_id_acks == 0 and not session.exchanges._by_mid


def sections():
    """Return the UDP sections of the transcript as lists of (what, fields)."""
    found, current = {}, None
    line_form = re.compile(r" *[\d.]+ +(wire>|wire<|D>S|S>D) ?(.*)")
    for line in TRANSCRIPT.read_text().splitlines():
        if re.match(r"## \d", line):
            number = int(line[3])
            current = found.setdefault(number, []) if number in SECTIONS else None
        elif current is not None and (match := line_form.match(line)):
            current.append((match[1], match[2].split()))
    return found


SECTIONS = {3: (DEVICE_OS, 253), 4: (OLD_DEVICE_OS, 254)}


@pytest.mark.parametrize("number", SECTIONS)
def test_the_transcript(cloud, ec_key, number):
    """Same messages, same sizes on the wire, same answers: 6.2.0 and 2.3.1."""
    extensions, moved = SECTIONS[number]
    api = Api(cloud.url).login()
    provision_ec(api, ec_key, ID)
    device = cloud.udp_device(ec_key, ID, extensions=extensions)
    device.handshake()
    lines = sections()[number]
    start = next(i for i, entry in enumerate(lines) if entry[0] == "D>S") - 1
    port = lines[start][1][2]
    answered = 0
    for what, fields in lines[start:]:
        if what == "wire>":
            size, kind = int(fields[0]), int(fields[4])
            if fields[2] != port:
                port = fields[2]
                device.rebind()
            device.moved = kind if kind == moved else None
            head = fields[5] if len(fields) > 5 else ""
        elif what == "D>S":
            datagram = device.seal(bytes.fromhex(fields[1]))
            assert (len(datagram), datagram[0]) == (size, kind)
            if head:  # all but the connection ID
                assert datagram[:11].hex() == head[:22] and datagram[19:21].hex() == head[38:]
            device.send_raw(datagram)
        elif what == "S>D":
            same(device.recv().raw, bytes.fromhex(fields[1]))
            answered += 1
        elif what == "wire<":
            assert device.down[-1] == int(fields[0])
    assert answered == sum(entry[0] == "D>S" for entry in lines) >= 12
    device.close()


def test_raw_records_of_2_3_1_after_a_resume(cloud):
    """Their form; the keys were not kept."""
    text = TRANSCRIPT.read_text().partition("## 5.")[2].partition("## 6.")[0]
    raw = [bytes.fromhex(line.split()[2]) for line in text.splitlines()[1:] if line.strip()]
    assert [len(r) for r in raw] == [46, 86, 86]
    for number, datagram in enumerate(raw, 13):
        device_id, record = dtls_records.take_device_id(datagram)
        (parsed,) = dtls_records.split(record)
        assert device_id == ID and (parsed.kind, parsed.number) == (23, number)


def test_a_real_device_is_never_sent_what_erases_its_session(cloud, ec_key):
    """No RST, no CON 2.05, nothing unknown: whatever the device sends (3.4, 3.6)."""
    api = Api(cloud.url).login()
    provision_ec(api, ec_key, ID)
    vectors = json.loads((TRANSCRIPT.parent / "coap-messages.json").read_text())["coap"]
    with cloud.udp_device(ec_key, ID).connect() as device:
        device.subscribe("temp")
        for vector in vectors:
            if vector["name"].startswith("goodbye"):
                continue
            raw = bytes.fromhex(vector["hex"])
            device.send(raw[:2] + device.next_mid().to_bytes(2, "big") + raw[4:])
        device.ping_mid = device.next_mid()
        device.send(pack(0, 0, device.ping_mid))
        while (got := device.recv()) is not None and got.mid != device.ping_mid:
            allowed = {"E", "f", "v", "d", "s"}
            assert got.type != 3
            if got.type == 0:
                assert got.path and got.path[0] in allowed
                device.acknowledge(got)
            if got.code == 0x45:
                assert got.type == 2 and not got.options and len(got.payload) == 4
        assert got is not None
