"""On the board: counts the instructions of calculations, slice by slice (see bench/instructions).

A tick of `time.ticks_cpu` is 40 instructions when QEMU counts.
"""

import gc
import json
import sys
import time

import micropython

_TICK = 40


def run(module, what):
    """Count what `module.cases()` yields; one line of JSON each.

    what: "code" = garbage is collected between slices and that is not counted; "collected" =
    collections are counted where they happen.
    """
    cases = module.cases()
    while True:
        try:
            key, make = next(cases)
        except StopIteration:
            return
        try:
            found = _instructions(make, what == "code")
        except Exception as error:
            sys.print_exception(error)
            found = {"error": repr(error)}
        found["key"] = key
        found["what"] = what
        print(json.dumps(found))


def _nothing():
    yield


def _instructions(make, tidy):
    _steps(_nothing, tidy)
    empty = _steps(_nothing, tidy)
    found = _steps(make, tidy)
    found["longest"] -= empty["longest"]
    found["total"] -= empty["longest"] * found["slices"]
    found["allocated"] -= _steps(lambda: None, tidy)["allocated"]  # the counting's own
    return found


def _steps(make, tidy):
    gc.collect()
    ticks = time.ticks_cpu
    total = longest = slices = 0
    steps = None
    more = True
    before = micropython.mem_current()  # falls by what is freed, but not by what is collected
    while more:
        if tidy:
            gc.collect()
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
    return {
        "total": total * _TICK,
        "slices": slices,
        "longest": longest * _TICK,
        "allocated": micropython.mem_current() - before,
    }
