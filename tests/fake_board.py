"""A board of a fake world: the real client and store, a socket that leads into the world.

Its flash is a directory. The power may fail at every write to socket and flash, and every call of
the socket may raise.
"""

import asyncio
import contextlib
import time

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from particle import Cloud, Error
from particle.store.container import Store
from particle_tools.cloud.keys import spki_der
from relay import Numbers
from up_link import UpLink


class PowerCut(BaseException):
    """The board's power fails inside a call."""


class _Store(Store):
    """The real store on a directory; the power may fail before or after a write."""

    board = None

    def write(self, name, data):
        self.board.may_die()
        super().write(name, data)
        self.board.may_die()


class Sock:
    """A UDP socket of a board (DESIGN 5, net)."""

    def __init__(self, board):
        self.board = board
        self.inbox = []
        self.address = None
        self.session = None  # connection ID of what it sent last

    def connect(self, addr, port):
        """Open; True at once."""
        self.board.fault("connect")
        self.board.world.rebind(self)
        return True

    def readinto(self, buf):
        """Return the length of the next datagram, None when there is none."""
        self.board.fault("read")
        if not self.inbox:
            return None
        data = self.inbox.pop(0)
        n = len(data)
        buf[:n] = data  # which grows when it has to, as with net/sockets.py
        self.board.wake.set()  # there may be more
        return n or None

    def write(self, buf, n):
        """Send a datagram."""
        self.board.may_die()
        self.board.fault("write")
        datagram = bytes(buf[:n])
        self.board.numbers.sent(datagram)
        self.board.up.append(datagram)
        self.board.world.up(self, datagram)
        self.board.may_die()
        return n

    def pollable(self):
        """Nothing to poll: the world wakes the board."""

    def close(self):
        """Close; what still arrives is nobody's."""
        self.board.world.routes.pop(self.address, None)


class _Link(UpLink):
    def __init__(self, board):
        self._board = board

    def open(self, kind):
        self._board.sock = Sock(self._board)
        return self._board.sock


class _Profile:
    PLATFORM_ID = 6
    NET = "host"
    TRANSPORT = "udp"
    STORE_ROOT = ""


class Board:
    """A board: its flash outlives `die`, which the program or a countdown brings about.

    countdown: socket and flash operations until the power fails, None for never. faults: a
    function (name of the socket's call) -> True when that call shall raise.
    """

    def __init__(self, world, program, like=None, **values):
        self.world = world
        self.program = program
        self.values = values
        self.countdown = None
        self.faults = None
        self.boots = 0
        self.up, self.down = [], []  # datagrams sent, and arrived by the network
        self.numbers = Numbers()
        self.wake = asyncio.Event()
        self.sock = self.client = None
        self.root = world.folder / f"board{len(world.boards)}"
        self.id = like.id if like else world.random.randbytes(12).hex()
        self.root.mkdir()
        key = like.key if like else ec.generate_private_key(ec.SECP256R1())
        self.key = key
        self.spki = spki_der(key.public_key())
        der = key.private_bytes(
            form.Encoding.DER, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
        )
        (self.root / "device.ec.der").write_bytes(der)
        (self.root / "server.ec.der").write_bytes(spki_der(world.server_key.public_key()))

    def may_die(self):
        """Count an operation at which the power may fail."""
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                raise PowerCut

    def fault(self, name):
        """Raise OSError when the call of the socket shall fail."""
        if self.faults and self.faults(name):
            raise OSError(5)

    def boot(self):
        """Begin again from what is on flash."""
        if self.sock:
            self.sock.close()
        self.boots += 1
        store = _Store(str(self.root))
        store.board = self
        values = {"device_id": self.id, "server": "10.0.0.1", "port": 5684} | self.values
        self.client = Cloud(board=_Profile, store=store, link=_Link(self), **values)
        self.program(self, begin=True)
        self.client.connect()

    async def live(self):
        """Serve the client for ever, over power cuts."""
        while True:
            try:
                self.boot()
                while True:
                    self.wake.clear()
                    before = self.client.connected()
                    self.client.process()
                    self.program(self)
                    self.client.process()
                    if self.client.connected() != before:
                        self.wake.set()  # the program may have something to say
                    await self._idle()
            except PowerCut:
                self.countdown = None
                await asyncio.sleep(1)

    async def _idle(self):
        # until something is due; `Servicing._until` looks every second, and a day has many
        now, client = time.ticks_ms(), self.client
        times = [client._conn.deadline()]
        if client._dns or client._dialing:
            times.append(time.ticks_add(now, 10))
        times += [*client._jobs.values(), self.due]
        waits = [time.ticks_diff(t, now) for t in times if t is not None]
        wait = max(0, min([3600_000, *waits])) / 1000
        timer = self.world.loop.call_later(wait, self.wake.set)
        await self.wake.wait()
        timer.cancel()

    due = None  # ticks at which the program wants to be called


class Publisher:
    """A program that publishes numbered events, knows which were acknowledged, counts calls.

    options: of `publish`. With persist=True it publishes without a connection, too.
    """

    def __init__(self, period, count=None, **options):
        self.period = period
        self.left = count
        self.options = options
        self.number = 0
        self.taken, self.acked = set(), set()
        self.failed, self.calls = [], []
        self._waiting = {}

    def __call__(self, board, begin=False):
        client = board.client
        if begin:
            self._waiting = {}
            client.function("led", lambda text: self.calls.append(text) or len(self.calls))
            client.subscribe("order", lambda name, data: self.calls.append(data))
            board.due = time.ticks_ms()
        for number, op in list(self._waiting.items()):
            if op.done():
                del self._waiting[number]
                if op.error:
                    self.failed.append((number, op.error.errno))
                else:
                    self.acked.add(number)
        now = time.ticks_ms()
        if self.left == 0:
            board.due = None
        if board.due is None or time.ticks_diff(now, board.due) < 0:
            return
        if not client.connected() and not self.options:
            board.due = time.ticks_add(now, 1000)
            return
        board.due = time.ticks_add(now, int(self.period * 1000))
        self.number += 1
        self.left = self.left and self.left - 1
        with contextlib.suppress(Error):
            self._waiting[self.number] = client.publish("n", str(self.number), **self.options)
            self.taken.add(self.number)
