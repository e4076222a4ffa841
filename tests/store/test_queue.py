"""Events on flash: kept, numbered once, bounded (DESIGN decision 7); cuts are in test_powercut."""

import os

from particle.errors import Error, QueueFull
from particle.store.container import pack
from particle.store.queue import Queue
from support import FullFlash, folder, raises, rng


def message(text=b"x", mid=0):
    """Return what stands for a message with this ID."""
    return lambda number: b"\x40\x02" + bytes((mid >> 8, mid & 255)) + text


def numbers(queue):
    return [number for number, _ in queue.items]


def test_events_are_kept_in_order_until_they_are_removed():
    root = folder("queue-a")
    q = Queue(root, rng(1))
    for i in range(3):
        q.add(message(b"%d" % i, 500 + i))
    again = Queue(root, rng(2))
    assert again.items == q.items
    assert [mid for _, mid in again.items] == [500, 501, 502]
    assert [again.get(n)[4:] for n in numbers(again)] == [b"0", b"1", b"2"]
    again.remove(numbers(again)[1])
    assert numbers(Queue(root, rng(3))) == [numbers(q)[0], numbers(q)[2]]
    again.put(numbers(again)[0], message(b"0", 9)(0))
    assert again.items[0][1] == 9 and Queue(root, rng(3)).items[0][1] == 9


def test_no_number_is_given_twice():
    root = folder("queue-b")
    last = given = 0
    for boot in range(20):
        q = Queue(root, rng(7))
        for _ in range(boot * 40 % 90):
            n = q.add(message())
            assert n > last
            last = n
            given += 1
            if n % 5 or len(q.items) > 20:
                for old in numbers(q):
                    q.remove(old)
    assert given > 600


def test_numbers_start_at_random_when_none_are_known():
    first = [Queue(folder("queue-c"), rng(seed)).add(message()) for seed in range(1, 9)]
    assert len(set(first)) == 8
    # what waits on flash keeps its place before what comes later
    root = folder("queue-c")
    q = Queue(root, rng(1))
    q.add(message())
    os.remove(root + "/queue/next")
    q = Queue(root, rng(2))
    assert q.add(message()) == numbers(q)[0] + 1


def test_bounded():
    q = Queue(folder("queue-d"), rng(1))
    for _ in range(32):
        q.add(message())
    e = raises(QueueFull, q.add, message())
    assert e.errno == -200 and len(q.items) == 32
    q.remove(numbers(q)[0])
    q.add(message())


def test_full_flash_loses_nothing():
    root = folder("queue-e")
    q = Queue(root, rng(1))
    kept = q.add(message())
    with FullFlash():
        e = raises(Error, q.add, message())
        assert e.errno == -225 and e.stage == "store" and "no room, remove files" in str(e)
        assert numbers(q) == [kept] == numbers(Queue(root, rng(1)))
    assert q.add(message()) == kept + 1


def test_damaged_newer_and_foreign_files():
    root = folder("queue-f")
    q = Queue(root, rng(1))
    a, b, c = [q.add(message(b"%d" % i)) for i in range(3)]
    store = q._store
    good = store.read("%08x" % a)
    for bad in [good[:n] for n in range(len(good))] + [good + b"x", good[:7] + b"?" + good[8:]]:
        store.write("%08x" % a, bad)
        again = Queue(root, rng(1))
        assert numbers(again) == [b, c] and again.dropped == 1, bad
        assert store.read("%08x" % a) is None
    newer = good[:3] + b"\x02" + good[4:]
    store.write("%08x" % a, newer)
    store.write("%08x.new" % (c + 1), good[:9])
    store.write("notes.txt", pack(6, b"mine and nobody else's"))
    os.mkdir(store.root + "/00000001")
    again = Queue(root, rng(1))
    os.rmdir(store.root + "/00000001")
    assert numbers(again) == [b, c] and again.dropped == 0
    left = sorted(os.listdir(store.root))
    assert "notes.txt" in left and "%08x.new" % (c + 1) not in left
    assert store.read("%08x" % a) == newer
    # the file of the numbers
    old = store.read("next")
    store.write("next", old[:3] + b"\x02" + old[4:])
    raises(Error, Queue(root, rng(1)).add, message())
    store.write("next", b"damaged")
    assert Queue(root, rng(1)).add(message()) == c + 1


def test_a_flash_that_cannot_be_read():
    q = Queue(folder("queue-g"), rng(1))
    n = q.add(message())
    q.remove(n)
    assert q.get(n) is None
    q.remove(n)  # nothing to remove is no error


def test_something_else_in_the_place_of_the_folder():
    root = folder("queue-h")
    with open(root + "/queue", "wb") as f:
        f.write(b"mine")
    e = raises(Error, Queue, root, rng(1))
    assert e.errno == -225 and "remove it" in str(e)
    os.remove(root + "/queue")
    assert Queue(root, rng(1)).add(message())
