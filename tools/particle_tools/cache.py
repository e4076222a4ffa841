"""What was fetched or built from others: outside the tree, shared by all checkouts of a user."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def folder() -> Path:
    """Return the cache folder, `$XDG_CACHE_HOME/particle-mp` or the like below the home folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "particle-mp"


def install(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, made by `fill(empty folder)` if it is not there.

    It appears whole or not at all: an interrupted or failed download leaves nothing behind.
    """
    target = folder() / name
    if target.exists():
        return target
    folder().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=name + ".", dir=folder()))
    try:
        fill(work)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


@contextlib.contextmanager
def locked(name: str) -> Iterator[Path]:
    """Give the folder `name` of the cache, made if need be, to one process at a time."""
    target = folder() / name
    target.mkdir(parents=True, exist_ok=True)
    with (folder() / (name + ".lock")).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        target.mkdir(exist_ok=True)  # `prune` may have been first
        os.utime(target)
        yield target


def prune(name: str, keep: int) -> None:
    """Remove all but the `keep` youngest of the folders whose names begin with `name`.

    One that a process has locked stays.
    """
    place = folder() / name
    found = [path for path in place.parent.glob(place.name + "*") if path.is_dir()]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        lock = path.with_name(path.name + ".lock")
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path)
