"""A local cloud for a measurement, and somebody who calls a board there."""

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from particle_tools.local import Api, LocalCloud


@contextlib.contextmanager
def cloud() -> Iterator[tuple[Path, LocalCloud]]:
    """Give a folder and a cloud in it, both for a while."""
    with tempfile.TemporaryDirectory(prefix="particle-bench-") as name:
        folder = Path(name)
        running = LocalCloud(folder)
        try:
            yield folder, running
        finally:
            running.stop()


@contextlib.contextmanager
def caller(api: Api, device_id: str, seconds: float) -> Iterator[list[str]]:
    """Call a board that runs heap_app.py when it is ready; gives what went wrong, at the end."""
    wrong: list[str] = []
    events = api.events()

    def call() -> None:
        try:
            events.wait("heap/ready", seconds)
            api.call(device_id, "answer", "x")
        except Exception as error:
            wrong.append(str(error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield wrong
    finally:
        events.close()
        thread.join(seconds)
