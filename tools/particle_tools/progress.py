"""What long work shows on a terminal."""

import sys


class Progress:
    """One line on stderr that says what is being done; nothing if that is no terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Put `text` in the place of what was shown."""
        if self._on:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave an empty line to whoever prints next."""
        if self._on:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def bar(done: int, total: int, width: int = 24) -> str:
    """Return how much of `total` is done, drawn and in per cent."""
    part = min(max(done / total, 0.0), 1.0) if total else 1.0
    full = int(part * width)
    return f"[{'#' * full}{'-' * (width - full)}] {part:4.0%}"
