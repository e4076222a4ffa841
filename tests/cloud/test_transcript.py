"""What real Device OS devices sent over TCP, sent again byte for byte to our cloud.

Source: tests/vectors/deviceos-transcript.txt, sections 1 (Device OS 2.3.1) and 2 (6.2.0): a
session of each with spark-server. The session keys are chosen so that the device's message IDs
are those of the transcript, our cloud's counter so that its first one is. Whatever our cloud
answers otherwise than spark-server stands in `_OTHERWISE`.
"""

import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.device import ACK, CON, NON, TestDevice, unpack
from cloud.running import USER, provision
from particle_tools.cloud import exchanges, session
from particle_tools.cloud.tcp.handshake import Credentials
from particle_tools.local import Api

_FILE = Path(__file__).parents[1] / "vectors" / "deviceos-transcript.txt"
_LINE = re.compile(r"\s*[\d.]+ (D>S|S>D) wire=\d+ plain=(\d+) ([0-9a-f]+)$")
_ID = "0123456789abcdef01234567"
_GET, _POST, _PUT = 1, 2, 3

# What our cloud sends instead of spark-server's message, and why: None = nothing. Keyed by either
# the message of the device that is answered or the message of spark-server.
_OTHERWISE = {
    # A posted Describe is confirmable, and whoever sends a CON waits for its ACK (RFC 7252, 4.2):
    # Device OS notes only then that the cloud knows the Describe (cloud-protocol 2.6), and our own
    # device would repeat it over UDP. spark-server says nothing. The form is that of the vendor's
    # cloud: empty when there was no token (2.3.1), 2.04 with the token when there was one (6.2.0).
    "4002b769": "6000b769",
    "4002b76f": "6000b76f",
    "4102359d": "6144359dd1",
    "410235a1": "614435a1d3",
    # The same for the separate confirmable answer. In this replay it answers a question of
    # spark-server's that our cloud did not ask; an ACK says "arrived", not "wanted".
    "4145b773": "6000b773",
    # A NON is sent so that nobody answers (RFC 7252, 4.3): an ACK for it is 18 bytes for nothing.
    # The device takes no notice of those that spark-server sends.
    "6000b76a": None,
    "6000b76b": None,
    # The Hello says with flag 0x20 that the device describes itself, and it does so at once: a
    # question would have it sent twice. spark-server does not look at the flag, and 6.2.0 answers
    # its form of the question (no Uri-Query) with 4.00, whereupon spark-server closes.
    "4101a02d": None,
    "410110ab": None,
    # Events of the system are for the owner's stream and the cloud. Sent back, because the device
    # subscribes to the prefix `particle`, they would be orders that it gave itself: the flag
    # `updates/forced` would be echoed for ever.
    "5002a02e": None,
    "5002a02f": None,
}


@dataclass
class Line:
    """One message of the transcript."""

    up: bool
    raw: bytes

    @property
    def is_ack(self):
        """Tell whether it is an acknowledgement."""
        return self.raw[0] >> 4 & 3 == ACK

    @property
    def head(self):
        """Type, code and ID: what `_OTHERWISE` is keyed by."""
        return self.raw[:4].hex()


def transcript(section):
    """Return the messages of a section in their order."""
    sections = re.split(r"^## \d+\. ", _FILE.read_text(), flags=re.MULTILINE)
    found = []
    for line in sections[section].splitlines():
        match = _LINE.match(line)
        if match:
            raw = bytes.fromhex(match[3])
            assert len(raw) == int(match[2])
            found.append(Line(match[1] == "D>S", raw))
    return found


class Replay:
    """The device of the transcript against a running cloud."""

    def __init__(self, cloud, key, lines, monkeypatch):
        self.lines = lines
        self.api = Api(cloud.url)
        self.api.login(":".join(USER))
        first_up = next(line.raw for line in lines if line.up)
        first_down = next(line.raw for line in lines if not line.up)
        seed = int.from_bytes(first_up[2:4], "big") - 1
        salt = seed.to_bytes(2, "little") + bytes(6)
        monkeypatch.setattr(
            Credentials, "new", lambda: Credentials(secrets.token_bytes(32) + salt)
        )
        # of the counter of message IDs; the first token is the one after the Describe's
        before = int.from_bytes(first_down[2:4], "big") - 1
        real = secrets.randbelow
        starts = {1 << 16: before, 256: 1}
        for module in (session, exchanges):
            monkeypatch.setattr(module.secrets, "randbelow", lambda n: starts.get(n) or real(n))
        self.device = TestDevice(cloud.tcp_port, cloud.server_key, key, _ID)
        self.device.exchange_keys()
        assert self.device.mid == seed
        self._ids = {}  # message ID of spark-server -> of our cloud
        self._unasked = set()  # IDs of spark-server's messages that our cloud does not send
        self._calls = []
        self.results = []  # in the order of the questions

    def run(self):
        """Send what the device sent, compare what our cloud answers; return what differs."""
        differs = []
        answers = {}  # ID of a device's message -> spark-server's ACK
        for line in self.lines:
            if not line.up and line.is_ack:
                answers[line.raw[2:4]] = line
        for line in self.lines:
            if line.up and line.raw[2:4] in self._unasked and line.is_ack:
                continue  # it answers what our cloud did not ask
            if line.up:
                self.device.send(self._adapted(line.raw))
                self._expect_answer(line, answers.get(line.raw[2:4]), differs)
            elif not line.is_ack:
                self._expect_request(line, differs)
        for call in self._calls:
            call.join(30)
        return differs

    def _adapted(self, raw):
        # an ACK carries the ID of the cloud's question, which differs by what was left out
        if raw[0] >> 4 & 3 == ACK and raw[2:4] in self._ids:
            return raw[:2] + self._ids[raw[2:4]] + raw[4:]
        return raw

    def _expect_answer(self, line, theirs, differs):
        if line.head in _OTHERWISE:
            differs.append(line.head)
            assert theirs is None
            assert self.device.recv().raw.hex() == _OTHERWISE[line.head]
        elif theirs is not None and theirs.head in _OTHERWISE:
            differs.append(theirs.head)
        elif theirs is not None:
            ours, expected = self.device.recv(), unpack(theirs.raw)
            if expected.payload:  # the time, which goes on
                assert len(ours.payload) == 4 and ours.payload > expected.payload
                assert ours.raw[:-4] == theirs.raw[:-4]
            else:
                assert ours.raw == theirs.raw

    def _expect_request(self, line, differs):
        if line.head in _OTHERWISE:
            differs.append(line.head)
            self._unasked.add(line.raw[2:4])
            return
        theirs = unpack(line.raw)
        if theirs.path[0] != "h":
            self._ask(theirs)
        ours = self.device.recv()
        self._ids[line.raw[2:4]] = ours.raw[2:4]
        assert ours.raw[:2] + ours.raw[4:] == line.raw[:2] + line.raw[4:]

    def _ask(self, theirs):
        # makes our cloud ask what spark-server asked
        place = len(self.results)
        self.results.append(None)

        def ask():
            if theirs.code == _GET:
                result = self.api.read(_ID, theirs.path[1])
            elif theirs.code == _POST:
                result = self.api.call(_ID, theirs.path[1], theirs.all(15)[0].decode())
            else:
                value = str(theirs.all(15)[0][0])
                result = self.api.put(f"/v1/devices/{_ID}", signal=value)["signaling"]
            self.results[place] = result

        self._calls.append(threading.Thread(target=ask))
        self._calls[-1].start()

    def still_there(self, token, name="setCounter"):
        """Show that the session goes on: it is called once more, and gets an event."""
        result = []
        caller = threading.Thread(target=lambda: result.append(self.api.call(_ID, name, "5")))
        caller.start()
        question = self.device.recv()
        assert (question.token, question.path) == (token, ["f", name])
        self.device.acknowledge(question)
        self.device.mid = int.from_bytes(self._last_mid(), "big")
        self.device.answer(question, 0x44, b"\0\0\0\5")
        caller.join(10)
        assert result == [5]
        self.api.publish("vdev/in", "hello")
        event = self.device.recv()
        # as spark-server sends them: the name in segments, Max-Age of four bytes
        expected = (
            "5002" + event.raw[2:4].hex() + "b14504766465760269" + "6e340000003cff68656c6c6f"
        )
        assert event.raw.hex() == expected

    def _last_mid(self):
        ups = [line.raw for line in self.lines if line.up]
        numbered = [raw for raw in ups if raw[0] >> 4 & 3 in (CON, NON) or raw[:2] == b"\x61\x44"]
        return numbered[-1][2:4]

    def silent(self):
        """Tell whether nothing else came: our cloud has the end of the stream only."""
        self.device.sock.shutdown(1)
        try:
            self.device.recv()
        except EOFError:
            return True
        return False


@pytest.fixture
def replay(cloud, keys, api, monkeypatch):
    """Give a function that prepares the replay of a section."""
    provision(api, keys[0], _ID)
    made = []

    def prepare(section):
        made.append(Replay(cloud, keys[0], transcript(section), monkeypatch))
        return made[-1]

    yield prepare
    for each in made:
        each.device.close()


def _events(stream, count):
    # (name, data) of the next events of the device
    found = []
    while len(found) < count:
        name, event = stream.next(10)
        if event["coreid"] == _ID and name != "spark/status":
            found.append((name, event["data"]))
    return found


_UPDATES = [
    ("particle/device/updates/enabled", "true"),
    ("particle/device/updates/forced", "false"),
]
_VARIABLES = {"counter": "int32", "temp": "double", "greeting": "string"}


def test_device_os_2_3_1(cloud, replay):
    device = replay(1)
    stream = device.api.events()
    differs = device.run()
    assert differs == [
        "4002b769",
        "6000b76a",
        "6000b76b",
        "4002b76f",
        "4101a02d",
        "4145b773",
        "5002a02e",
        "5002a02f",
    ]
    assert device.results == [1, 21.5, "hello", 77, True]
    assert _events(stream, 6) == [
        ("spark/hardware/max_binary", "102400"),
        ("spark/hardware/ota_chunk_size", "512"),
        *_UPDATES,
        ("vdev/tick", "1"),
        ("vdev/tick", "78"),
    ]
    stream.close()
    # spark-server closed at the last event, because the ACK of the signal had spent an ID
    device.still_there(b"\x07")
    assert cloud.services.sessions.get(_ID).own_id_acks == 1
    found = device.api.device(_ID)
    assert (found["functions"], found["variables"]) == (["setCounter"], _VARIABLES)
    assert (found["platform_id"], found["product_id"]) == (3, 3)
    assert device.silent()


def test_device_os_6_2_0(cloud, replay):
    device = replay(2)
    stream = device.api.events()
    differs = device.run()
    assert differs == ["4102359d", "410235a1", "410110ab"]
    assert _events(stream, 2) == _UPDATES
    stream.close()
    # spark-server gave up when its question without Uri-Query was answered 4.00
    device.still_there(b"\x02")
    found = device.api.device(_ID)
    assert (found["functions"], found["variables"]) == (["setCounter"], _VARIABLES)
    assert found["system_firmware_version"] == "6.2.0"
    assert device.silent()
