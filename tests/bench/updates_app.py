"""Prints [share with start and finish, share of the chunks alone] of each run (bench.updates)."""

import json
import sys
import tempfile
from pathlib import Path

import micropython  # noqa: F401 - gives CPython's `time` the clock of MicroPython

from shaped_world import share

_BYTES = 1_000_000
_RUNS = 4


def main() -> None:
    """Measure with the loss and the options of the command line."""
    loss, options = json.loads(sys.argv[1])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(_RUNS if loss else 1):
            path = Path(folder) / str(seed)
            path.mkdir()
            rows.append(share(path, _BYTES, loss, seed + 4, **options))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
