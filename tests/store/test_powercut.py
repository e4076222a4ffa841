"""The power fails in every operation of the flash while session and queue are written (DESIGN
decisions 3 and 7): no event that was stored is lost or comes twice, no number is used twice.

Under MicroPython only, which has the file system.
"""

import gc
import os
import sys

try:
    import vfs
except ImportError:
    vfs = None

from particle.errors import Error
from particle.store.container import Store
from stored_session import Board

if vfs:
    from kept_events import Client, Cloud
    from particle.store.backup import Backup
    from ram_flash import Cut, RamFlash, mount, umount

ROOT = "/cut/pt"
EVERY = 11 if sys.platform == "qemu" else 1  # where each life takes seconds


class Cells:
    """Backup memory, empty after a power cut."""

    size = 2048

    def __init__(self):
        self.parts = {}

    def get(self, kind):
        return self.parts.get(kind)

    def put(self, kind, payload):
        self.parts[kind] = payload


class Stored:
    """What a `Board` needs of a flash, on the file system."""

    full = False
    writes = 0

    def __init__(self, backup):
        self.store = Store(ROOT)
        if backup:
            self.store = Backup(self.store, Cells())

    def get(self, kind):
        return self.store.get(kind)

    @property
    def data(self):
        return self.get(1)

    @data.setter
    def data(self, value):
        self.store.put(1, value)


class Steps(Board):
    """A board that reserves few numbers at a time, so that it writes often."""

    def act(self, e):
        self.conn.step = getattr(self.flash.store, "step", 6)
        super().act(e)


class World:
    """A cloud, and the lives of one device with the flash between them."""

    def __init__(self, backup=False, base=None):
        self.backup = backup
        self.data = {block: bytearray(base[block]) for block in base} if base else None
        self.cloud = Cloud()
        self.numbers = []
        self.sent = {}  # message ID -> message
        self.kept = []  # stored, as the application knows it
        self.tried = []

    def life(self, events, cut=0, tear=0):
        """Boot, publish and be answered until the power fails; return the flash operations."""
        flash = RamFlash(self.data, cut, tear)
        self.data = flash.data
        try:
            mount(flash)
            self.client = None
            c = self.client = Client(Steps(Stored(self.backup), self.numbers), root=ROOT)
            c.step()
            self.talk(c)
            for _ in range(events):
                name = b"%d" % len(self.tried)
                self.tried.append(name)
                c.publish(name)
                self.kept.append(name)
                c.board.conn.publish(c.board.now, "plain", name, 0, None)
                c.step()
                self.talk(c)
            c.board.run(9000)
            self.talk(c)
        except Cut:
            # what it had said before is on its way and is heard
            if self.client:
                for m in self.client.board.take():
                    self.cloud.hear(m)
        finally:
            umount()
        gc.collect()
        return flash.operations

    def talk(self, c):
        for m in c.board.said:
            if m.type == 0 and m.path != "":
                old = self.sent.setdefault(m.mid, m.raw)
                assert old == m.raw, (m.mid, old, m.raw)
        self.cloud.take(c)

    def check(self):
        cloud = self.cloud
        assert len(set(self.numbers)) == len(self.numbers)
        assert len(set(cloud.numbers)) == len(cloud.numbers)
        got = [e for e in cloud.events if e in self.tried]
        assert len(set(got)) == len(got)
        assert [e for e in got if e in self.kept] == self.kept, (self.kept, got)
        assert got == sorted(got, key=int)


def every_cut(backup):
    first = World(backup)
    first.life(0)
    base = first.data
    world = World(backup, base)
    world.cloud = first.cloud
    operations = world.life(3)
    world.check()
    assert operations > 20 and len(world.kept) == 3
    runs = 0
    for tear in range(4):
        for cut in range(1, operations + 1, EVERY):
            world = World(backup, base)
            world.life(3, cut, tear)
            # and once more while it recovers
            world.life(1, 1 + cut * 7 % 11, tear)
            world.life(1)
            world.check()
            assert len(world.cloud.events) >= len(world.kept) >= 1
            runs += 1
    return runs


if vfs:

    def test_session_and_queue_on_flash():
        assert every_cut(False) > 80 // EVERY

    def test_session_in_backup_memory_and_queue_on_flash():
        assert every_cut(True) > 80 // EVERY

    def test_full_flash():
        world = World()
        flash = RamFlash()
        mount(flash)
        try:
            c = Client(Steps(Stored(False), world.numbers), root=ROOT)
            c.step()
            world.talk(c)
            kept = c.publish(b"0")
            with open("/cut/filler", "wb") as f:
                try:
                    while True:
                        f.write(bytes(512))
                        f.flush()
                except OSError as e:
                    assert e.errno == 28
            refused = 0
            for i in range(1, 40):
                try:
                    c.publish(b"%d" % i)
                    world.kept.append(b"%d" % i)
                except Error as e:
                    refused += 1
                    assert e.errno in (-225, -200) and str(e)
            assert refused > 5
            # what was stored goes its way, and with room everything is as before
            os.remove("/cut/filler")
            for _ in range(8):
                world.talk(c)
                c.board.run(5000)
                c.sender.send(c.board.now)
                c.step()
            assert kept.done() and c.sender.waiting() == 0
            assert world.cloud.events == [b"0"] + world.kept
            c.publish(b"last")
            world.talk(c)
            assert world.cloud.events[-1] == b"last"
            assert len(set(world.cloud.numbers)) == len(world.cloud.numbers)
        finally:
            umount()
