"""Measurements one after the other: one that fails or hangs keeps what it found, the rest runs."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.figures import Figure

_AGAIN = 60  # seconds that an interrupted measurement has to clean up


class Late(Exception):
    """A measurement took longer than it may."""


@dataclass(frozen=True)
class Stage:
    """A measurement under a name of its own.

    measure: gives its figures, at once or one by one; it gets all that there are until then.
    keys: figures that are expected of it. needs: what is missing where one of these is not there.
    """

    name: str
    measure: Callable[[list[Figure]], Iterable[Figure]]
    keys: tuple[str, ...] = ()
    needs: str = ""


@dataclass(frozen=True)
class Outcome:
    """What all stages have found: figures, and for each that failed its name and why."""

    figures: list[Figure]
    failed: dict[str, str]
    absent: dict[str, str]

    def lines(self) -> list[str]:
        """List what was not measured and why, one line each."""
        failed = [f"FAILED: {keys}: {reason}" for keys, reason in self.failed.items()]
        return failed + [f"NOT RUN: {keys}: {needs}" for keys, needs in self.absent.items()]


def run(stages: Iterable[Stage], seconds: float) -> Outcome:
    """Run all stages, each for at most so many seconds; say on stderr how long each took."""
    figures: list[Figure] = []
    failed, absent = {}, {}
    for stage in stages:
        began = time.monotonic()
        found, reason = _measured(stage, figures, seconds)
        figures += found
        print(f"{stage.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        missing = set(stage.keys) - {figure.key for figure in found}
        what = ", ".join([stage.name, *(key for key in stage.keys if key in missing)])
        if reason:
            failed[what] = reason
        elif missing:
            absent[what] = stage.needs or "gave no such figure"
    return Outcome(figures, failed, absent)


def _measured(stage: Stage, before: list[Figure], seconds: float) -> tuple[list[Figure], str]:
    found: list[Figure] = []
    try:
        with _limit(seconds):
            for figure in stage.measure(before):
                found.append(figure)
    except Exception as error:
        said = " | ".join(str(error).strip().splitlines()[-5:])
        return found, f"{type(error).__name__}: {said}"
    return found, ""


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def late(*_) -> None:
        raise Late(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
