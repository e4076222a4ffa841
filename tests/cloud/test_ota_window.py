"""What the sender of chunks does on links that are slow, lossy or mad: all time is simulated."""

import heapq
import random

import pytest

from particle_tools.cloud.ota.window import Window

RATE, HALF_TRIP_S = 32_000, 0.05  # the link of the bench: bytes per second, one way
AROUND = 13 + 29 + 28  # of a chunk: CoAP, DTLS, UDP and IP


class Link:
    """A device that takes chunks at the end of a link; `keeps`: chunks beyond a gap."""

    def __init__(self, chunks, *, loss=0.0, size=512, keeps=1000, seed=1, jitter=0.0):
        self.window = Window(chunks, 256, 0.0)
        self.random = random.Random(seed)
        self.loss, self.size, self.keeps, self.jitter = loss, size, keeps, jitter
        self.now = self.free = 0.0
        self.contiguous, self.held, self.waiting = 0, set(), 0
        self.due = None  # of a delayed acknowledgement
        self.events = []
        self.order = 0
        self.dark = (0.0, 0.0)

    def push(self, at, what):
        if self.random.random() < self.loss or self.dark[0] <= self.now < self.dark[1]:
            return
        self.order += 1
        late = self.random.random() * self.jitter
        heapq.heappush(self.events, (at + HALF_TRIP_S + late, self.order, what))

    def run(self, limit=10_000.0):
        """Let time pass until everything has arrived; return the seconds it took."""
        window = self.window
        while not window.done:
            assert self.now < limit, (window.acknowledged, window.chunks)
            while (index := window.take(self.now)) is not None:
                self.free = max(self.free, self.now) + (self.size + AROUND) / RATE
                self.push(self.free, index)
            times = [window.deadline(), self.due]
            times += [self.events[0][0]] if self.events else []
            self.now = max(self.now, min(t for t in times if t is not None))
            if self.events and self.events[0][0] <= self.now:
                what = heapq.heappop(self.events)[2]
                if isinstance(what, tuple):
                    window.acknowledge(*what, self.now)
                else:
                    self.arrives(what)
            elif self.due is not None and self.due <= self.now:
                self.acknowledge()
            else:
                window.expire(self.now)
        return self.now

    def arrives(self, index):
        again = index <= self.contiguous or index in self.held
        gap = bool(self.held)
        if index == self.contiguous + 1:
            self.contiguous += 1
            while self.contiguous + 1 in self.held:
                self.contiguous += 1
                self.held.discard(self.contiguous)
        elif not again and len(self.held) < self.keeps:
            self.held.add(index)
        self.waiting += 1
        if again or gap or self.held or self.waiting >= 2 or index == self.window.chunks:
            self.acknowledge()
        elif self.due is None:
            self.due = self.now + 0.2

    def acknowledge(self):
        self.waiting, self.due = 0, None
        bits = sum(1 << (index - self.contiguous - 1) for index in self.held)
        bitmap = bits.to_bytes((bits.bit_length() + 31) // 32 * 4, "little")
        self.push(self.now, (self.contiguous, bitmap))


def share(link):
    """Return the bytes that arrived as a share of what the link could have carried."""
    return link.window.chunks * (link.size + AROUND) / link.run() / RATE


def test_a_link_without_loss_is_full():
    link = Link(600)
    assert share(link) > 0.95
    assert link.window.transmissions == 600


@pytest.mark.parametrize("seed", range(4))
def test_a_link_that_loses_a_tenth_is_hardly_idle(seed):
    link = Link(600, loss=0.1, seed=seed)
    assert share(link) > 0.7
    assert link.window.transmissions < 600 * 1.25


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("keeps", [0, 4])
def test_a_device_that_keeps_little_gets_everything(seed, keeps):
    assert share(Link(200, loss=0.1, keeps=keeps, seed=seed)) > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_chunks_that_overtake_each_other(seed):
    link = Link(300, jitter=0.05, seed=seed)
    assert share(link) > 0.6


@pytest.mark.parametrize("loss", [0.2, 0.5, 0.8])
def test_a_link_that_loses_much(loss):
    link = Link(60, loss=loss)
    link.run()
    assert link.window.acknowledged == 60


def test_a_blackout():
    link = Link(300)
    link.dark = (3.0, 43.0)
    assert link.run() < 62


def sent(window, now=0.0):
    found = []
    while (index := window.take(now)) is not None:
        found.append(index)
    return found


def test_nothing_is_sent_beyond_the_window_of_the_device():
    window = Window(100, 2, 0.0)
    assert sent(window) == [1, 2]
    window.acknowledge(1, b"", 0.1)
    assert sent(window, 0.1) == [3]


@pytest.mark.parametrize(
    ("cumulative", "bitmap"),
    [
        (5, b""),  # never sent
        (0, b"\x20\0\0\0"),  # the sixth, never sent
        (1, b"\x01\0\0\0"),  # the second is both missing and there
        (1, b"\x02\0"),  # no whole word
        (1 << 32, b""),
    ],
)
def test_what_cannot_be_true_changes_nothing(cumulative, bitmap):
    window = Window(100, 256, 0.0)
    assert sent(window) == [1, 2, 3, 4]
    window.acknowledge(cumulative, bitmap, 0.1)
    assert (window.contradictions, window.acknowledged, window.heard) == (1, 0, 0.0)
    assert sent(window, 0.1) == []


def test_an_older_acknowledgement_changes_nothing():
    window = Window(100, 256, 0.0)
    sent(window)
    window.acknowledge(3, b"", 0.1)
    window.acknowledge(1, b"\x02\0\0\0", 0.2)
    assert window.acknowledged == 3 and window.contradictions == 0


def test_what_a_bitmap_showed_may_be_gone():
    window = Window(4, 256, 0.0)
    sent(window)
    window.acknowledge(0, b"\x0e\0\0\0", 0.1)
    assert sent(window, 0.1) == [1]
    window.acknowledge(1, b"", 0.2)  # it has dropped what came behind the gap
    assert sent(window, 0.2) == [2, 3, 4]
    window.acknowledge(4, b"", 0.3)
    assert window.done


def test_silence_is_met_with_patience():
    window = Window(1000, 256, 0.0)
    now, attempts = 0.0, 0
    sent(window)
    while now < 90:
        now = max(now + 0.001, window.deadline())
        window.expire(now)
        attempts += bool(sent(window, now))
    assert 8 < attempts < 20
    assert window.transmissions < 60
