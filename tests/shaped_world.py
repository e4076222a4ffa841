"""A fake world whose boards are behind one slow link: bytes a second, round trip, loss."""

import plain_updates
from fake_updates import PLATFORM, Receiver, Sender, image
from fake_world import World
from relay import Weather, protected

RATE = 32_000  # bytes a second in each direction, with headers
ROUND_TRIP_S = 0.1
HEADERS = 28  # of a datagram: IPv4 and UDP
_QUEUE_S = 0.5  # what the link keeps that it cannot send yet


class ShapedWorld(World):
    """A world with such a link."""

    def __init__(self, folder, seed=1, weather=None):
        super().__init__(folder, seed, weather)
        self._free = [0.0, 0.0]  # when the link has sent what it was given, by direction

    def _send(self, up, datagram, arrives):
        begin = max(self._free[up], self.time)
        if begin - self.time > _QUEUE_S:
            return
        self._free[up] = begin + (len(datagram) + HEADERS) / RATE
        delay = self._free[up] - self.time + ROUND_TRIP_S / 2
        for late, what in self.storm.fates(up, datagram, self.time):
            self.loop.call_later(delay + late, arrives, what)

    def up(self, sock, datagram):
        """Take a datagram of a board."""
        for cid, _ in protected(datagram):
            sock.session = cid
        address = sock.address
        self._send(True, datagram, lambda what: self.gateway.take(what, address))

    def down(self, datagram, address):
        """Take a datagram of the cloud."""
        sock = self.routes.get(address)
        if sock is not None:
            self.numbers.sent(datagram, sock.session)
        self._send(False, datagram, lambda what: self._arrive(what, address))


def share(folder, size, loss=0.0, seed=4, **options):
    """Send one image; return which share of the link carried it: of the whole, of the chunks.

    The whole is from the start to the last answer; options: of `Sender`.
    """
    try:
        with ShapedWorld(folder, seed) as world:
            board = world.board(Receiver(), platform_id=PLATFORM)
            assert world.run(60, lambda: board.client is not None and board.client.connected())
            world.run(5)
            world.storm.weather = Weather(loss=loss)
            sender = Sender(world, board, image(size), **options)
            assert world.run(1800, lambda: sender.done), sender.failures
            assert (board.root / "update.img").read_bytes() == sender.data
            chunks = sender.last - sender.first
            return [len(sender.data) / seconds / RATE for seconds in (sender.seconds, chunks)]
    finally:
        plain_updates.remove()
