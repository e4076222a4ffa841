"""While a small heap gets what stays, garbage is collected often: see particle/__init__.py."""

import gc
import sys

from particle.client import _tidy


class Heap:
    def __init__(self, size, limit=-1):
        self.size = size
        self.limit = limit

    def mem_alloc(self):
        return self.size // 3

    def mem_free(self):
        return self.size - self.size // 3

    def threshold(self, *limit):
        if limit:
            self.limit = limit[0]
        return self.limit


def limits(heap):
    """Return the threshold while modules are loaded, and when that is over."""
    sys.modules["gc"] = heap
    try:
        _tidy(-1, 1056)
        loading = heap.limit
        _tidy(1056, -1)
        return loading, heap.limit
    finally:
        sys.modules["gc"] = gc


def test_a_small_heap_is_kept_in_order_for_a_while():
    assert limits(Heap(30_000)) == (1056, -1)


def test_a_large_heap_is_left_alone():
    assert limits(Heap(65_536)) == (-1, -1)


def test_what_the_application_has_decided_holds():
    assert limits(Heap(30_000, 4096)) == (4096, 4096)
    assert limits(Heap(30_000, 1024)) == (1024, 1024)
    assert limits(Heap(30_000, 0)) == (0, 0)


def test_without_such_a_collector():
    assert limits(object_with_nothing()) == (None, None)


def object_with_nothing():
    """Return a `gc` as CPython has it."""

    class Other:
        limit = None

    return Other()
