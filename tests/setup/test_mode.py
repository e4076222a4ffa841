"""Listening mode: what is opened is closed, whatever happens in between."""

from particle.setup.mode import DOORS, Mode, installed
from support import raises


class World:
    """Everything that a `Mode` is given; `log` has what it did, in order."""

    def __init__(self, *doors):
        self.log = []
        self.is_gone = True
        self.link = self
        self.state = 1
        self.error = "why not"
        ports = {"client": self, "wifi": self, "event": lambda *e: self.log.append(e)}
        self.mode = Mode(ports, doors)

    def quiet(self, now):
        self.log.append("quiet")

    def gone(self, now):
        return self.is_gone

    def ended(self, now, connect):
        self.log.append(("ended", connect))

    def up(self):
        self.log.append("up")

    def down(self):
        self.log.append("down")

    def step(self, now):
        return self.state


class Door:
    """A door that does as `plan` says; `seen` has what was done with all of them."""

    seen = []
    plan = {}

    def __init__(self, ports):
        self.ports = ports

    def open(self, now):
        self.seen.append("open")
        self._do("open")

    def step(self, now):
        self.seen.append("step")
        return self._do("step")

    def close(self):
        self.seen.append("close")

    def _do(self, what):
        found = self.plan.get(what)
        if isinstance(found, Exception):
            raise found
        return found


def door(**plan):
    """Return a class of doors of its own."""

    class Planned(Door):
        seen = []

    Planned.plan = plan
    return Planned


def test_a_life():
    kind = door()
    w = World(kind)
    assert not w.mode.listening() and not w.mode.step(0)
    w.is_gone = False
    w.mode.enter(1000)
    w.mode.enter(1001)  # once only
    assert w.mode.listening() and w.mode.step(1010)
    assert kind.seen == [] and w.log == ["quiet", ("WIFI_LISTEN_BEGIN", 0)]
    w.is_gone = True
    assert w.mode.step(1030) and kind.seen == ["open"]
    assert w.mode.step(2050) and kind.seen == ["open", "step"]
    assert w.log[2:] == [("WIFI_LISTEN_UPDATE", 1050)]
    w.mode.leave(2060)
    assert w.mode.listening() and not w.mode.step(2070)
    assert kind.seen == ["open", "step", "close"] and not w.mode.listening()
    assert w.log[3:] == [("WIFI_LISTEN_END", 1070), ("ended", False)]


def test_doors_end_it():
    for said, connect in (("connect", True), ("leave", False)):
        kind = door(step=said)
        other = door()
        w = World(kind, other)
        w.mode.enter(0)
        assert w.mode.step(10) and w.mode.step(20)
        assert not w.mode.step(30)
        assert kind.seen[-1] == other.seen[-1] == "close" and w.log[-1] == ("ended", connect)
        # and there is a next time
        w.mode.enter(40)
        assert w.mode.listening()


def test_credentials_of_one_door_are_not_forgotten_for_another():
    w = World(door(step="connect"), door(step="leave"))
    w.mode.enter(0)
    w.mode.step(10)
    w.mode.step(20)
    w.mode.step(30)
    assert w.log[-1] == ("ended", True)


def test_a_door_that_fails_leaves_the_others_open():
    for what in ("open", "step"):
        bad = door(**{what: OSError(98)})
        good = door()
        w = World(bad, good)
        w.mode.enter(0)
        for now in (10, 20, 30):
            assert w.mode.step(now)
        assert bad.seen.count("close") == 1 and "close" not in good.seen
        assert bad.seen.count("step") <= 1 and good.seen.count("step") == 2
        w.mode.abort(40)
        assert bad.seen.count("close") == good.seen.count("close") == 1


def test_time_out():
    w = World(door())
    w.mode.timeout = 1.5
    w.mode.enter(0x3FFFFF00)  # ticks wrap meanwhile
    assert w.mode.step(0x3FFFFFFF)
    assert w.mode.step(1000)
    assert not w.mode.step(1300)
    assert w.log[-1] == ("ended", False)
    w.mode.timeout = 0
    w.mode.enter(0)
    assert w.mode.step(0x1FFFFFFF)


def test_a_network_is_tried_while_the_doors_stay_open():
    kind = door()
    w = World(kind)
    w.mode.try_join(0)
    assert w.mode.join is None  # only while listening
    w.mode.enter(0)
    w.mode.step(10)
    w.mode.try_join(20)
    assert w.mode.join == "joining" and w.log[-2:] == ["down", "up"]
    assert w.mode.step(30) and w.mode.join == "joining"
    w.state = 5
    assert w.mode.step(40) and w.mode.join == "why not" and w.log[-1] == "down"
    w.mode.try_join(50)
    w.state = 4
    assert w.mode.step(60) and w.mode.join == "joined" and w.log[-1] == "up"
    assert w.only is None
    assert "close" not in kind.seen
    w.mode.leave(70)
    w.mode.step(80)
    assert w.mode.join == "joined"  # it is read once more
    w.mode.enter(90)
    assert w.mode.join is None


def test_one_network_is_tried():
    w = World(door())
    w.mode.enter(0)
    w.mode.step(10)
    w.mode.try_join(20, b"Home")
    assert w.only == b"Home"
    w.mode.leave(30)
    w.mode.step(40)
    assert w.only is None  # from now on any network may be joined


def test_a_joined_network_is_stayed_with_though_nobody_says_so():
    w = World(door())
    w.mode.enter(0)
    w.mode.step(10)
    w.mode.try_join(20)
    w.state = 4
    assert w.mode.step(30) and w.mode.step(20020)
    assert w.mode.step(20030) and not w.mode.step(20040)
    assert w.log[-1] == ("ended", True)


def test_the_cloud_is_told_before_it_ends():
    kind = door()
    w = World(kind)
    w.is_gone = False
    w.mode.enter(0)
    w.mode.leave(10)
    assert w.mode.step(20) and w.mode.listening()
    w.is_gone = True
    assert not w.mode.step(30) and w.log[-1] == ("ended", False) and kind.seen == []


def test_abort_does_not_connect():
    w = World(door())
    w.mode.abort(0)
    assert w.log == []
    w.mode.enter(0)
    w.mode.leave(10, True)
    w.mode.abort(20)
    assert w.log[-1] == ("ended", False) and not w.mode.listening()


def test_what_is_installed_is_found():
    found = installed()
    assert len(found) <= len(DOORS)
    for kind in found:
        for name in ("open", "step", "close"):
            assert hasattr(kind, name)


def test_other_errors_are_not_hidden():
    w = World(door(step=ValueError("bug")))
    w.mode.enter(0)
    w.mode.step(10)
    raises(ValueError, w.mode.step, 20)
