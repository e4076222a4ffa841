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
