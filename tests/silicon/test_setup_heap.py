"""Setup by phone takes at most 10 kB of a 32-bit heap for its data, with one person there."""

from bench import setup
from silicon import debian32


def test_one_person(need):
    argv = debian32.find()
    need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    most, idle = setup.heap(argv, 1)
    assert 0 < idle < most <= setup.HEAP_GOAL
