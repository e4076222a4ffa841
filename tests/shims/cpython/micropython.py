"""MicroPython's module `micropython` for device code that runs under CPython.

Device files import `const` from here, so importing this module is also the
moment at which CPython's `time` and `sys` get the names that MicroPython adds
to them: both are already loaded and cannot be replaced by a file on sys.path.
"""

import sys
import traceback

import ticks

_heap_locks = 0


def const(value):
    """Return `value`; the compiler of MicroPython folds it."""
    return value


def native(function):
    """Return `function` unchanged."""
    return function


viper = native


def schedule(function, argument):
    """Call `function(argument)` at once: there is no interrupt context to leave."""
    function(argument)


def heap_lock():
    """Count a lock; CPython has no heap to lock. Returns the depth."""
    global _heap_locks
    _heap_locks += 1
    return _heap_locks


def heap_unlock():
    """Undo one heap_lock() and return the remaining depth."""
    global _heap_locks
    _heap_locks -= 1
    return _heap_locks


def kbd_intr(character):
    """Accept the interrupt character and ignore it."""


def opt_level(level=None):
    """Report or accept the optimisation level; it has no effect."""
    return 0 if level is None else None


def _print_exception(error, file=None):
    traceback.print_exception(type(error), error, error.__traceback__, file=file or sys.stdout)


sys.print_exception = _print_exception
ticks.install()
