"""Files are old or new (DESIGN 5, store); on the host's file system, cuts are in tests/sim."""

import os

from particle.errors import ConfigError, Error
from particle.store.container import Store, pack, unpack
from support import folder, raises

SESSION = 1
CLAIM = 4


def fresh(name):
    return Store(folder(name))


def test_put_get_erase():
    s = fresh("a")
    assert s.get(SESSION) is None
    s.put(SESSION, b"")
    assert s.get(SESSION) == b""
    s.put(SESSION, b"x" * 200)
    s.put(CLAIM, b"code")
    assert s.get(SESSION) == b"x" * 200 and s.get(CLAIM) == b"code"
    assert sorted(os.listdir(s.root)) == ["claim", "session"]
    s.erase(SESSION)
    s.erase(SESSION)
    assert s.get(SESSION) is None and s.get(CLAIM) == b"code"
    assert s.wear() == 4


def test_format():
    assert pack(4, b"ab")[:8] == b"PT\x04\x01\x02\x00ab"
    assert unpack(4, pack(4, b"ab")) == b"ab"


def test_damaged_files_are_reported_and_kept():
    s = fresh("b")
    good = pack(SESSION, b"payload")
    bad = [good[:n] for n in range(len(good))] + [good + b"x", b"PK" + good[2:]]
    for i in range(len(good)):
        bad.append(good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :])
    for data in bad:
        s.write("session", data)
        e = raises(Error, s.get, SESSION)
        assert e.errno == -280 and "session" in str(e)
        assert s.read("session") == data


def test_newer_version_is_never_overwritten():
    s = fresh("c")
    good = pack(CLAIM, b"payload")
    newer = good[:3] + b"\x02" + good[4:]
    s.write("claim", newer)
    assert "newer" in str(raises(Error, s.get, CLAIM))
    raises(ConfigError, s.put, CLAIM, b"x")
    assert s.read("claim") == newer


def test_left_over_new_file_is_harmless():
    s = fresh("d")
    s.put(CLAIM, b"old")
    with open(s.root + "/claim.new", "wb") as f:
        f.write(b"half")
    assert s.get(CLAIM) == b"old"
    s.put(CLAIM, b"new")
    assert s.get(CLAIM) == b"new"
    assert os.listdir(s.root) == ["claim"]


def test_unwritable_place():
    s = fresh("e")
    s.write("plain", b"1")
    below = Store(s.root + "/plain")
    assert below.read("x") is None
    e = raises(Error, below.write, "x", b"1")
    assert e.errno == -225 and e.stage == "store"
    assert s.read("plain") == b"1"


def test_no_memory_for_the_number_of_an_error():
    """MicroPython raises an error without arguments where there is no room for these."""
    s = fresh("f")
    raises(MemoryError, s._failed, "read", "session", OSError())
    raises(Error, s._failed, "read", "session", OSError(5))
    s._failed("read", "session", OSError(2))
