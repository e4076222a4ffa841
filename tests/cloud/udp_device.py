"""A device on UDP for testing the cloud: DtlsClient on a socket, CoAP by hand."""

from __future__ import annotations

import select
import time

import ports
from cloud.device import ACK, CON, pack, unpack
from cloud.dtls_client import DEVICE_OS, Alert, DtlsClient, Keys

HELLO_FLAGS = 0xB6


def hello_payload(device_id, flags=HELLO_FLAGS, *, tail=True, platform=3):
    """Make the Hello of 4.1: product 3, no version."""
    body = bytes.fromhex("0003ffff") + flags.to_bytes(2, "big") + platform.to_bytes(2, "big")
    body += b"\x00\x0c" + bytes.fromhex(device_id)
    return body + (bytes.fromhex("1838048000a000000200") if tail else b"")


class UdpDevice:
    """Blocking; every wait is bounded by `timeout`."""

    __test__ = False

    def __init__(
        self,
        port,
        server_spki,
        key,
        device_id,
        *,
        timeout=20.0,
        host="127.0.0.1",
        bound=None,
        **form,
    ):
        self.host = host  # ours
        self.bound = bound  # called with each address we take
        self.port = port
        self.id = device_id
        self.client = DtlsClient(key, server_spki, **form)
        self.timeout = timeout
        self.mid = 0
        self.token = 0x30
        self.moved = None  # 253 or 254: first byte until something is received
        self.inbox = []
        self.up, self.down = [], []  # sizes of datagrams
        self.sock = None
        self.rebind()

    def rebind(self):
        """Take a new source port."""
        old, self.sock = self.sock, ports.dial(self.port, self.host)
        if old is not None:
            old.close()
        if self.bound is not None:
            self.bound(self.address)

    @property
    def address(self):
        """The address the cloud sees."""
        return self.sock.getsockname()

    @property
    def keys(self):
        """The session's keys."""
        return self.client.keys

    def close(self):
        """Close the socket."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, datagram):
        """Send a datagram."""
        self.up.append(len(datagram))
        self.sock.send(datagram)

    def recv_raw(self, timeout=None):
        """Receive a datagram; None if none comes."""
        wait = self.timeout if timeout is None else timeout
        ready = select.poll()  # select() knows no descriptor above 1023
        ready.register(self.sock, select.POLLIN)
        if not ready.poll(wait * 1000):
            return None
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            return None
        self.down.append(len(data))
        return data

    def handshake(self, *, timeout=None):
        """Run the handshake, repeating flights as a client does."""
        waiting = self.client.start()
        end = time.monotonic() + (timeout or self.timeout)
        while not self.client.done:
            assert time.monotonic() < end, "the handshake did not finish"
            for datagram in waiting:
                self.send_raw(datagram)
            waiting = []
            data = self.recv_raw()
            assert data is not None, "no answer"
            waiting, application = self.client.datagram(data)
            self.inbox += [unpack(m) for m in application]
        return self

    def next_mid(self):
        """Count the message id up."""
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid

    def next_token(self):
        """Count the token up."""
        self.token = (self.token + 1) & 0xFF
        return bytes([self.token])

    def seal(self, message, **how):
        """Protect a message as Device OS does."""
        if self.moved is not None:
            how.setdefault("wire", self.moved)
        record = self.keys.seal(message, **how)
        if self.moved == 254:
            record += bytes.fromhex(self.id) + b"\x0c"
        return record

    def send(self, message, **how):
        """Send one CoAP message in a datagram of its own."""
        self.send_raw(self.seal(message, **how))

    def recv(self, timeout=None):
        """Receive one CoAP message; None if none comes."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.inbox:
            data = self.recv_raw(max(0.0, end - time.monotonic()))
            if data is None:
                return None
            application = self.client.datagram(data)[1]
            if application:
                self.moved = None
            self.inbox += [unpack(m) for m in application]
        return self.inbox.pop(0)

    def hello(self, flags=HELLO_FLAGS, *, tail=True, platform=3, device_id=None):
        """Send Hello and wait for its ACK."""
        payload = hello_payload(device_id or self.id, flags, tail=tail, platform=platform)
        answer = self.request(2, [(11, b"h")], payload)
        assert answer.raw == pack(ACK, 0, self.mid)

    def connect(self, **hello):
        """Handshake and Hello."""
        self.handshake()
        self.hello(**hello)
        return self

    def request(self, code, options, payload=b"", token=b""):
        """Send a CON request, return its ACK; what the cloud begins meanwhile is received next."""
        mid = self.next_mid()
        self.send(pack(CON, code, mid, token, options=options, payload=payload))
        begun = []
        while (answer := self.recv()) is not None and answer.type == CON:
            begun.append(answer)
        self.inbox[:0] = begun
        assert answer is not None, "no ACK"
        assert (answer.type, answer.mid) == (ACK, mid), answer
        return answer

    def describe(self, functions, variables):
        """Post an application Describe."""
        names = ",".join(f'"{f}"' for f in functions)
        kinds = ",".join(f'"{k}":{v}' for k, v in variables.items())
        token = self.next_token()
        body = f'{{"f":[{names}],"v":{{{kinds}}}}}'.encode()
        answer = self.request(2, [(11, b"d"), (15, b"\x02")], body, token)
        assert (answer.code, answer.token) == (0x44, token)

    def subscribe(self, prefix):
        """Subscribe and wait for the ACK."""
        assert self.request(1, [(11, b"e"), (11, prefix.encode())]).code == 0

    def publish(self, name, data=b"", **options):
        """Publish an event; return the ACK."""
        extra = sorted((int(n[1:]), value) for n, value in options.items())
        return self.request(2, [(11, b"E"), (11, name.encode()), *extra], data)

    def ping(self):
        """Ping and wait for the ACK."""
        mid = self.next_mid()
        self.send(pack(CON, 0, mid))
        answer = self.recv()
        assert answer is not None, "no answer to a ping"
        assert answer.raw == pack(ACK, 0, mid)

    def ping_through(self):
        """Repeat a ping until it is acknowledged; late answers to other messages do not count."""
        mid, end, got = self.next_mid(), time.monotonic() + 60, None
        while got is None or got.mid != mid:
            assert time.monotonic() < end
            if got is None:
                self.send(pack(CON, 0, mid))
            got = self.recv(0.3)

    def acknowledge(self, message):
        """Send an empty ACK."""
        self.send(pack(ACK, 0, message.mid))

    def answer(self, message, code, payload=b""):
        """Send an empty ACK and the separate response, and take its ACK."""
        self.acknowledge(message)
        mid = self.next_mid()
        self.send(pack(CON, code, mid, message.token, payload=payload))
        taken = self.recv()
        assert taken is not None and taken.raw == pack(ACK, 0, mid)

    def half_open(self):
        """Run a handshake up to the server's flight."""
        self.send_raw(self.client.start()[0])
        self.send_raw(self.client.datagram(self.recv_raw())[0][0])
        assert len(self.recv_raw()) > 300
        return self

    def resume(self, kind=253):
        """Come back from a new port."""
        self.rebind()
        self.moved = kind
        return self


__all__ = ["DEVICE_OS", "HELLO_FLAGS", "Alert", "Keys", "UdpDevice", "hello_payload"]
