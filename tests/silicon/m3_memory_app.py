"""Runs on the board in test_out_of_memory: memory ends here and there, then there is enough again.

/rom/trials.txt holds what is tried (a function below) and with which numbers. One line for each:
the number, how it ended, whether the client was well afterwards.
"""

import gc
import sys
import time

import _memory

import particle

_TIMEOUT = -160
_LIMIT = 100  # seconds; far more than anything here takes
_LITTLE = 30  # what a connection gets that may never come
_Error = particle.Error  # bound before memory ends: finding a name of the package takes some


def connect(limit=_LIMIT):
    """Connect; with a handshake because the session was forgotten."""
    particle.connect(limit, background=False)


def publish():
    """Publish and wait for the acknowledgement."""
    particle.publish("memory/trial", "1", ack=True, timeout=_LIMIT)


def outcome(what):
    """Do it and return how it ended."""
    try:
        what()
    except MemoryError:
        return "MemoryError"
    except _Error as error:
        _memory.fail()
        if error.errno == _TIMEOUT:
            return "timeout"  # what did not fit was lost, and came too seldom
        sys.print_exception(error)
        return repr(error)
    except Exception as error:
        _memory.fail()
        sys.print_exception(error)
        return repr(error)
    return "done"


def well():
    """Connect and publish."""
    gc.collect()
    particle.connect(_LIMIT, background=False)
    particle.publish("memory/well", "1", ack=True, timeout=_LIMIT).result()


def handshake(n):
    """Let allocation `n` of a connect fail. Every tenth time the client comes back by itself."""
    particle.disconnect()
    particle.clear_session()
    gc.collect()
    _memory.fail(n)
    end = outcome(connect)
    _memory.fail()
    if n % 10:  # no back-off
        particle.disconnect()
    return end


def event(n):
    """Let allocation `n` of a publish and what follows on it fail."""
    time.sleep_ms(500)  # no more than four in a second
    _memory.fail(n)
    end = outcome(publish)
    _memory.fail()
    if n % 10:
        particle.disconnect()
    return end


def small(kib):
    """Connect with a handshake when `kib` KiB are left; an application has the others."""
    particle.disconnect()
    particle.clear_session()
    gc.collect()
    taken = []
    try:
        while gc.mem_free() > (kib << 10) + 300:
            taken.append(bytearray(256))
    except MemoryError:  # what is left is in small pieces
        pass
    end = outcome(lambda: connect(_LITTLE))
    taken.clear()  # what else may still point to it, on the stack for instance, keeps nothing
    return end


def allocations(what):
    """Return how many allocations `what()` makes."""
    gc.collect()
    _memory.fail()
    what()
    return _memory.fail()


with open("/rom/trials.txt") as file:
    trial, *numbers = file.read().split()
particle.clear_session()
print("connect", allocations(connect))
print("publish", allocations(publish))
for number in numbers:
    end = globals()[trial](int(number))
    print("trial", number, end, "then", outcome(well))
