"""On the board: counts the instructions of calculations, slice by slice (see bench/instructions).

A tick of `time.ticks_cpu` is 40 instructions when QEMU counts.
"""

import gc
import json
import sys
import time

_TICK = 40


def run(module, allocate):
    """Count what `module.cases()` yields; one line of JSON each.

    allocate: bytes are counted instead, with the collector off.
    """
    cases = module.cases()
    while True:
        try:
            key, make = next(cases)
        except StopIteration:
            return
        try:
            found = _bytes(make) if allocate else _instructions(make)
        except Exception as error:
            sys.print_exception(error)
            found = {"error": repr(error)}
        found["key"] = key
        print(json.dumps(found))


def _nothing():
    yield


def _instructions(make):
    _steps(_nothing)
    empty = _steps(_nothing)["longest"]
    found = _steps(make)
    found["longest"] -= empty
    found["total"] -= empty * found["slices"]
    return found


def _steps(make):
    gc.collect()
    ticks = time.ticks_cpu
    total = longest = slices = 0
    steps = None
    more = True
    while more:
        begin = ticks()
        if steps is None:
            steps = make()
            more = hasattr(steps, "send")
        if more:
            try:
                next(steps)
            except StopIteration:
                more = False
        took = time.ticks_diff(ticks(), begin)
        total += took
        longest = max(longest, took)
        slices += 1
    return {"total": total * _TICK, "slices": slices, "longest": longest * _TICK}


def _bytes(make):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    steps = make()
    if hasattr(steps, "send"):
        for _ in steps:
            pass
    found = gc.mem_alloc() - before
    gc.enable()
    return {"allocated": found}
