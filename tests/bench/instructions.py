"""Counts instructions on an emulated Cortex-M3: of whole calculations and of their slices.

    PYTHONPATH=tests .venv/bin/python -m bench.instructions [--heap KIB] [FILE.py ...]

prints a table of the cases in FILE (default: all of tests/bench/cases). A case
file runs on the board; it defines `cases()`, a generator of `(key, function)`.
What the function does is counted; if it returns a generator, that is driven to
its end and every slice is counted. So for any stepped calculation

    def cases():
        point = ...                                     # not counted
        yield "my_ecdh", lambda: p256.ecdh(5, point)    # counted

Helpers directly below tests/ (`support`, `tcp_peer`) can be imported. JSON
files of tests/vectors are there as far as `VECTORS = {"FILE.json": ("KEY", ...)}`
asks for them: whole ones do not fit a board's heap. Collections of a heap of
--heap KiB (128) are in the counts, what they cost grows with it.
"""

import argparse
import ast
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from silicon import cortex_m3

_CASES = Path(__file__).with_name("cases")
_COUNT = _CASES / "count.py"
_HEAP = 128  # KiB
_SLICE_GOAL = 2_000_000


@dataclass(frozen=True)
class Counted:
    """Instructions of one case on Cortex-M3, and bytes it takes from the heap until collected."""

    key: str
    total: int
    slices: int
    longest: int
    allocated: int

    @property
    def figure(self) -> Figure:
        """The row of the bench table."""
        stepped = f"{self.slices} slices, longest {self.longest}; " if self.slices > 1 else ""
        note = f"{stepped}{self.allocated} bytes allocated"
        return Figure(f"m3_{self.key}", self.total, "instr", note)


def measure() -> list[Figure]:
    """Count all cases; an empty list when there is nothing to count with."""
    if not cortex_m3.available():
        return []
    counted, failed = count(default_files())
    for text in failed:
        print(f"NOT COUNTED: {text}")
    longest = max(counted, key=lambda one: one.longest)
    return [
        *(one.figure for one in counted),
        Figure("slice_instructions_max", longest.longest, "instr", longest.key, _SLICE_GOAL),
    ]


def default_files() -> list[Path]:
    """List the case files of this tree."""
    return [path for path in sorted(_CASES.glob("*.py")) if path != _COUNT]


def count(files: list[Path], heap: int = _HEAP) -> tuple[list[Counted], list[str]]:
    """Count the cases of files with a heap of `heap` KiB; return them and what went wrong."""
    counted, failed = [], []
    for path in files:
        good, bad = _count(path, heap)
        counted += good
        failed += bad
    return counted, failed


def _count(path: Path, heap: int) -> tuple[list[Counted], list[str]]:
    rom = cortex_m3.helpers(path) | {
        "count.mpy": cortex_m3.compiled(_COUNT),
        "cases.mpy": cortex_m3.compiled(path),
    }
    for name, keys in _vectors(path).items():
        whole = json.loads((cortex_m3.TESTS / "vectors" / name).read_text())
        rom[f"vectors/{name}"] = json.dumps({key: whole[key] for key in keys}).encode()
    found: dict[str, dict] = {}
    failed = []
    for allocate, size in ((False, heap << 10), (True, 0)):
        said = cortex_m3.run(
            f"import count, cases; count.run(cases, {allocate})",
            rom,
            heap=size,
            counting=True,
            seconds=300,
        )
        rest = []
        for line in said.splitlines():
            if line.startswith("{"):
                one = json.loads(line)
                found.setdefault(one["key"], {}).update(one)
            else:
                rest.append(line)
        if rest:
            failed.append(f"{path.name}: {' | '.join(rest)}")
    good = [Counted(**one) for one in found.values() if len(one) == 5 and "error" not in one]
    return good, failed


def _vectors(path: Path) -> dict[str, tuple[str, ...]]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "VECTORS":
            return ast.literal_eval(node.value)
    return {}


def main() -> int:
    """Count the cases of the files named and print them; 1 when one could not be counted."""
    parser = argparse.ArgumentParser(prog="bench.instructions", description=__doc__)
    parser.add_argument("--heap", type=int, default=_HEAP, metavar="KIB")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.py")
    args = parser.parse_args()
    if not cortex_m3.available():
        print(f"{cortex_m3.NAME} is missing: {cortex_m3.COMMAND}", file=sys.stderr)
        return 1
    counted, failed = count(args.files or default_files(), args.heap)
    print(f"{'':20} {'instructions':>12} {'slices':>7} {'longest':>9} {'allocated':>9}")
    for one in counted:
        print(f"{one.key:20} {one.total:12} {one.slices:7} {one.longest:9} {one.allocated:9}")
    for text in failed:
        print(text, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
