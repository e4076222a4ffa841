"""The whole system in one process on a clock that jumps: days of bad network pass in seconds.

The real UDP side of the cloud (gateway, links, sessions, SQLite), the real client of the device
with its real store and DTLS (fake_board.py), and `relay.Storm` between them. Fake are only the
clock, the sockets and the moment at which the database commits. CPython only.
"""

import asyncio
import contextlib
import functools
import itertools
import os
import random
import selectors
import time

from cryptography.hazmat.primitives.asymmetric import ec

from fake_board import Board
from particle.store import keys_ec
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.database import Database
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.keys import ServerKeys
from particle_tools.cloud.services import Services
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.udp import gateway as udp_gateway
from relay import Numbers, Storm, protected

HOST = "10.0.0.9"
_COMMIT_S = 0.004
_WRAP_S = 30  # a board's ticks wrap this long after the beginning
_SWEEP_S = 20.0  # of the gateway; a day has many seconds
_OWNER = 1


class _Jumping(selectors.DefaultSelector):
    """Never waits: when nothing is ready the world's time jumps to the next timer."""

    world = None

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen again"
            self.world.time += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, world):
        selector = _Jumping()
        selector.world = self.world = world
        super().__init__(selector)

    def time(self):
        return self.world.time


class _Clock(Clock):
    """The cloud's clock; `jump` moves only its idea of the date."""

    jump = 0.0

    def __init__(self, world):
        super().__init__()
        self._world = world

    def monotonic(self):
        return self._world.time

    def time(self):
        return self._epoch + self._world.time + self.jump


class _Database(Database):
    """Commits in the loop's own thread, a little later than it was asked to."""

    def __init__(self, path):
        super().__init__(path)
        self._writer.execute("PRAGMA synchronous = OFF")
        self._asked = []
        self.dead = False

    async def write(self, job):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self.dead:
            if not self._asked:
                loop.call_later(_COMMIT_S, self._now)
            self._asked.append((job, future))
        return await future

    def _now(self):
        work, self._asked = self._asked, []
        if work and not self.dead:
            self._commit(work)


class _Port:
    """What the gateway has for a socket."""

    def __init__(self, world):
        self.sendto = world.down

    def close(self):
        """Do nothing."""


class _Gateway(udp_gateway.UdpGateway):
    async def listen(self, world):
        """Do what `start` does, on a socket of the world."""
        self._socket = _Port(world)
        await self._recall()
        loop = asyncio.get_running_loop()
        self._clocks = [loop.create_task(self._sweep()), loop.create_task(self._expire())]

    def take(self, datagram, address):
        """Do what `_readable` does with one datagram."""
        touched = {}
        if self._socket is not None:
            self._datagram(datagram, address, touched)
        for link in touched:
            if not link.ended:
                link.ready()

    def vanish(self):
        """Be killed: nothing is sent any more."""
        self._socket = None


class World:
    """A cloud, boards, the network between them. `with World(folder, seed) as world: ...`"""

    def __init__(self, folder, seed=1, weather=None):
        self.folder = folder
        self.time = 0.0
        self.storm = Storm(seed, weather)
        self.random = random.Random(seed + 1)
        self.events = []  # (name, data as bytes, core id) of all that reached the cloud's bus
        self.boards = []
        self.routes = {}  # address as the cloud sees it -> Sock
        self.numbers = Numbers()  # of the cloud
        self._ports = itertools.count(20000)
        self.server_key = ec.generate_private_key(ec.SECP256R1())
        self._mine = set()  # tasks that a killed cloud leaves alone
        self.loop = _Loop(self)
        self._saved = time.ticks_ms, os.urandom, udp_gateway._SWEEP_S, keys_ec.ec_private

    def __enter__(self):
        source = random.Random(self.random.random())
        time.ticks_ms = lambda: (int(self.time * 1000) - _WRAP_S * 1000) % (1 << 30)
        os.urandom = source.randbytes
        udp_gateway._SWEEP_S = _SWEEP_S
        # checks that both halves of the key fit, at every boot
        keys_ec.ec_private = functools.cache(keys_ec.ec_private)
        self._run(self._begin())
        return self

    def __exit__(self, *_):
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._run(asyncio.sleep(0.01))
        self.services.db.close()
        self.loop.close()
        time.ticks_ms, os.urandom, udp_gateway._SWEEP_S, keys_ec.ec_private = self._saved

    def _run(self, what):
        asyncio.set_event_loop(self.loop)
        task = self.loop.create_task(what)
        self._mine.add(task)
        return self.loop.run_until_complete(task)

    def run(self, seconds, until=None):
        """Let time pass, at the most until `until()`; return whether that came true."""
        end = self.time + seconds

        async def passing():
            while self.time < end and not (until and until()):
                await asyncio.sleep(min(0.5 if until else 60.0, end - self.time))

        self._run(passing())
        for board in self.boards:
            if board.task.done() and not board.task.cancelled():
                board.task.result()  # raises what ended it
        return until is None or bool(until())

    def inside(self, function, *args):
        """Call a function in a task of the world, where nothing of the client blocks."""

        async def call():
            found = function(*args)
            for board in self.boards:
                board.wake.set()
            return found

        return self._run(call())

    # The cloud.

    async def _begin(self):
        self._assemble()
        await self.services.db.execute(
            "INSERT INTO users (username, salt, password, created_at) VALUES ('me', '', '', 0)"
        )
        await self.gateway.listen(self)

    def _assemble(self):
        self.services = Services.assemble(
            Settings(self.folder),
            _Clock(self),
            _Database(self.folder / "cloud.db"),
            ServerKeys(None, self.server_key),
        )
        self.gateway = _Gateway(self.services)
        self.services.bus.listen(_OWNER, lambda e: self.events.append((e.name, e.data, e.core_id)))

    def kill_cloud(self, forget=False):
        """kill -9 and start again at once; forget: and the table of sessions is lost."""
        self.gateway.vanish()
        self.services.db.dead = True
        for task in asyncio.all_tasks(self.loop) - self._mine:
            task.cancel()
        self.services.db.close()
        self._assemble()

        async def again():
            if forget:
                await self.services.db.execute("DELETE FROM udp_sessions")
            await self.gateway.listen(self)

        self._run(again())

    def events_of(self, board, name):
        """Return the data of the events of a board with this name, in order."""
        return [data for n, data, core in self.events if n == name and core == board.id]

    def call(self, board, name, argument):
        """Call a function of a board in the background; its handler tells whether it came."""
        session = self.services.sessions.get(board.id)
        if session is not None:
            self.loop.create_task(self._call(session, name, argument))

    @staticmethod
    async def _call(session, name, argument):
        with contextlib.suppress(DeviceError):
            await session.call(name, argument)

    # The network.

    def up(self, sock, datagram):
        """Take a datagram of a board."""
        if self.storm.rebinds():
            self.rebind(sock)
        address = sock.address
        for cid, _ in protected(datagram):
            sock.session = cid
        for delay, what in self.storm.fates(True, datagram, self.time):
            self.loop.call_later(delay, lambda what=what: self.gateway.take(what, address))

    def down(self, datagram, address):
        """Take a datagram of the cloud."""
        sock = self.routes.get(address)
        if sock is not None:
            self.numbers.sent(datagram, sock.session)
        for delay, what in self.storm.fates(False, datagram, self.time):
            self.loop.call_later(delay, lambda what=what: self._arrive(what, address))

    def _arrive(self, datagram, address):
        sock = self.routes.get(address)
        if sock is not None:
            sock.board.down.append(datagram)
            sock.inbox.append(datagram)
            sock.board.wake.set()

    def rebind(self, sock):
        """Give a socket another address outside, as a NAT does that has forgotten it."""
        self.routes.pop(sock.address, None)
        sock.address = (HOST, next(self._ports))
        self.routes[sock.address] = sock

    # Boards.

    def board(self, program, **options):
        """Make a board, register it and switch it on; `program(board)` is called at each step."""
        board = Board(self, program, **options)
        self.boards.append(board)
        self._run(self._register(board))
        board.task = self.loop.create_task(board.live())
        self._mine.add(board.task)
        return board

    async def _register(self, board):
        (user,) = self.services.db.all("SELECT * FROM users")
        owner = type("User", (), {"id": user["id"]})
        assert await self.services.devices.register(owner, board.id, "ec", board.spki)
