"""A target that has to do something before it takes more: what comes then, and what it refuses."""

from particle.errors import UpdateError
from update_cloud import IMAGE, INDEX, Sending
from update_world import Memory, options


class Working(Memory):
    """It works after the chunk that completes `at` bytes; fails: what is raised then."""

    at = 1024
    fails = None

    def write(self, data):
        super().write(data)
        return self._work() if self.stored == self.at else None

    def _work(self):
        for _ in range(5):
            yield
        if self.fails:
            raise self.fails


def begun(fails=None):
    target = Working()
    target.fails = fails
    return Sending(target=target).start()


def _never(now):
    return None


def hold(w):
    """Let no time be spent on the work."""
    w.transfer.deadline = w.transfer.tick = _never


def release(w):
    del w.transfer.deadline, w.transfer.tick
    w.step()


def test_what_comes_while_it_works_is_kept_or_comes_again():
    w = begun()
    w.send(1)
    hold(w)
    # nothing is acknowledged; four are kept, in whatever order they come
    assert w.send(2, 4, 3, 3, 6, 5, 7, 8) == []
    assert w.target.stored == 1024
    release(w)
    assert w.acks() == [(6, b"")]
    assert w.target.data == IMAGE[: 6 * 512]
    assert w.send(7, 8, 9, 10)[-1] == (10, b"")
    (answer,) = w.finish()
    assert answer.code == 0x44 and w.target.data == IMAGE


def test_a_gap_that_is_behind_the_work():
    w = begun()
    w.send(1)
    hold(w)
    w.send(2, 4)
    release(w)
    assert w.acks() == [(2, b"\x02\0\0\0")]
    assert w.send(3)[-1] == (4, b"")


def test_a_finish_that_comes_too_early():
    w = begun()
    w.target.at = len(IMAGE)
    w.send(*range(1, 10))
    hold(w)
    w.send(10)
    (answer,) = w.finish()
    assert answer.code == 0xA3 and b"-240" in answer.payload


def test_the_connection_is_lost_while_it_works():
    w = begun()
    w.send(1)
    hold(w)
    w.send(2)
    w.transfer.stop()
    release(w)
    assert w.target.calls[-1] == ("pause",) and not w.transfer.active()
    w.target.at = 0
    w.start()
    assert w.offset == 1024
    assert w.send(1, 2)[-1] == (2, b"")


def test_what_it_refuses_ends_update_and_connection():
    w = begun(UpdateError(-1360, "the bundle is for another board"))
    w.send(1)
    mid = w.say(1, 2, options(b"C", [(INDEX, 2)]) + b"\xff" + w.part(2))
    w.step()
    assert [m.raw for m in w.take()] == [b"\x70\x00" + mid]
    assert not w.transfer.active() and w.told_of[-1] == -1
    w.pass_(30)
    assert w.downs == [("cloud", -1390)]
