"""Updates in a fake world: the real sender of the cloud and the real client of a board, whose
flash is a folder; what a boot stage does is left out. CPython only. Who has used a `Receiver`
calls `plain_updates.remove` in the end.
"""

import asyncio
from dataclasses import replace

import machine

import plain_updates
from bundles import bundle, public
from fake_board import PowerCut
from particle_tools.cloud.exchanges import DeviceError
from particle_tools.cloud.ota.legacy import Legacy
from particle_tools.cloud.ota.transfer import Image
from particle_tools.cloud.ota.v3 import V3
from particle_tools.cloud.ota.wire import UpdateError
from particle_tools.images import modules

PLATFORM = 60000
_BOARD = "FAKE"


def image(size, seed=1):
    """Return a whole firmware module of about `size` bytes for the boards of a fake world."""
    payload = bytes([(i * seed * 197 >> 3) & 255 for i in range(size)])
    return modules.application(payload, PLATFORM, PLATFORM, 2)


def application(files):
    """Return the module of an application that these boards unpack while it arrives."""
    facts = {"board": _BOARD, "platform": PLATFORM, "product": PLATFORM, "abi": 0}
    return modules.application(bundle(files=files, **facts), PLATFORM, PLATFORM, 2)


class Receiver:
    """The program of a board that takes updates; `steps` are those it was told of.

    slots: it has slots for applications, else one plain file. resets: how often an update reset
    it.
    """

    def __init__(self, slots=False):
        self.steps = []
        self.resets = 0
        self._slots = slots

    def __call__(self, board, begin=False):
        if begin:
            board.due = None
            client = board.client
            client._board.OTA = "app-ab"
            client._board.NAME = _BOARD
            client._board.UPDATE_KEYS = (public(),)
            plain_updates.install(str(board.root), self._slots)
            from particle.runtime.events import on

            on(client, 1 << 8, lambda event, step: self.steps.append(step))
            machine.reset = lambda: self._reset()

    def _reset(self):
        self.resets += 1
        raise PowerCut


class Sender:
    """Sends an image to a board, in every session anew until it is there.

    chunk: its size, None for what the board wants. older: by the older protocol.
    """

    def __init__(self, world, board, data, chunk=None, older=False):
        self.world = world
        self.board = board
        self.data = data
        self.done = False
        self.failures = []
        self.offsets = []  # at which a transfer began
        self.seconds = 0.0  # from the start to the last answer
        self.first = self.last = 0.0  # when the board was ready, and had all chunks
        self._chunk = chunk
        self._kind = Legacy if older else V3
        self.task = world.inside(lambda: world.loop.create_task(self._run()))
        world._mine.add(self.task)

    async def _stored(self, size):
        # the first news of a transfer is what was there before
        if self._new:
            self.offsets.append(size)
            self._new = False
            self.first = self.first or self.world.time
        self.last = self.world.time

    async def _applied(self):
        # a device that has not heard that we know does not apply it: then all begins anew
        for _ in range(200):
            if self.board.program.resets:
                return True
            await asyncio.sleep(0.5)
        return False

    async def _run(self):
        begin = self.world.time
        while not self.done:
            session = self.world.services.sessions.get(self.board.id)
            if session is None or session.closed:
                await asyncio.sleep(0.1)
                continue
            if self._chunk:
                session.hello = replace(session.hello, chunk=self._chunk)
            transfer = self._kind(session, Image("app.bin", 5, self.data), self._stored)
            session.transfer = transfer
            self._new = True
            run = session.spawn(transfer.run())
            await asyncio.wait([run])
            session.transfer = None
            if not run.cancelled():
                try:
                    run.result()
                    self.seconds = self.world.time - begin
                    self.done = await self._applied()
                except (UpdateError, DeviceError) as error:
                    self.failures.append(str(error))
            await asyncio.sleep(0.5)
