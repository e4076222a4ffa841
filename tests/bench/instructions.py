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
asks for them: whole ones do not fit a board's heap.

Columns: instructions and the longest slice without collections of garbage; the
longest slice when collections of a heap of --heap KiB (128) fall where they
fall, which no code can help; bytes allocated. On a heap full of other objects
every allocation takes longer: leave a margin.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType

from bench.figures import Figure
from silicon import cortex_m3

_CASES = Path(__file__).with_name("cases")
_COUNT = _CASES / "count.py"
_HEAP = 128  # KiB
_SLICE_GOAL = 2_000_000


@dataclass(frozen=True)
class Counted:
    """Instructions of one case on Cortex-M3, and bytes that it allocates."""

    key: str
    total: int
    slices: int
    longest: int
    collected: int
    allocated: int

    @property
    def figure(self) -> Figure:
        """The row of the bench table."""
        stepped = f"{self.slices} slices, longest {self.longest}; " if self.slices > 1 else ""
        note = f"{stepped}{self.allocated} bytes allocated"
        return Figure(f"m3_{self.key}", self.total, "instr", note)


def measure() -> Iterator[Figure]:
    """Count all cases; none when there is nothing to count with.

    Raises RuntimeError behind the cases that were counted when others were not.
    """
    if not cortex_m3.available():
        return
    counted, failed = count(default_files())
    yield from (one.figure for one in counted)
    if failed:
        raise RuntimeError(" | ".join(failed))
    # the boot stage has nothing beside it that would have to wait
    beside = [one for one in counted if not one.key.startswith("boot_")]
    longest = max(beside, key=lambda one: one.longest)
    worst = max(beside, key=lambda one: one.collected)
    note = f"{worst.key}, when a heap of {_HEAP} KiB is collected in it"
    small = next(one for one in counted if one.key == "record_open_small")
    yield Figure("slice_instructions_max", longest.longest, "instr", longest.key, _SLICE_GOAL)
    yield Figure("slice_instructions_collected", worst.collected, "instr", note)
    yield Figure("record_alloc_bytes", small.allocated, "bytes", "received record, 32 bit", 0)


def default_files() -> list[Path]:
    """List the case files of this tree."""
    return [path for path in sorted(_CASES.glob("*.py")) if path != _COUNT]


def count(
    files: list[Path],
    heap: int = _HEAP,
    elf: str | None = None,
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> tuple[list[Counted], list[str]]:
    """Count the cases of files with a heap of `heap` KiB; return them and what went wrong.

    elf: another image than the board's. more: further files on the board's sys.path.
    """
    counted, failed = [], []
    for path in files:
        good, bad = _count(path, heap, elf, dict(more))
        counted += good
        failed += bad
    return counted, failed


def _count(
    path: Path, heap: int, elf: str | None, more: dict[str, bytes]
) -> tuple[list[Counted], list[str]]:
    rom = (
        more
        | cortex_m3.helpers(path)
        | {
            "count.mpy": cortex_m3.compiled(_COUNT),
            "cases.mpy": cortex_m3.compiled(path),
        }
    )
    for name, keys in _vectors(path).items():
        whole = json.loads((cortex_m3.TESTS / "vectors" / name).read_text())
        rom[f"vectors/{name}"] = json.dumps({key: whole[key] for key in keys}).encode()
    found: dict[str, dict] = {}
    failed = []
    for what in ("code", "collected"):
        said = cortex_m3.run(
            f"import count, cases; count.run(cases, '{what}')",
            rom,
            elf,
            heap=heap << 10,
            counting=True,
            seconds=300,
        )
        rest = []
        for line in said.splitlines():
            if line.startswith("{"):
                one = json.loads(line)
                found.setdefault(one["key"], {})[what] = one
            else:
                rest.append(line)
        if rest:
            failed.append(f"{path.name}: {' | '.join(rest)}")
    return [_counted(key, one) for key, one in found.items() if _whole(one)], failed


def _whole(runs: dict[str, dict]) -> bool:
    return len(runs) == 2 and not any("error" in run for run in runs.values())


def _counted(key: str, runs: dict[str, dict]) -> Counted:
    code = runs["code"]
    return Counted(
        key,
        code["total"],
        code["slices"],
        code["longest"],
        runs["collected"]["longest"],
        code["allocated"],
    )


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
    head = ("", "instructions", "slices", "longest", "collected", "allocated")
    print("{:24} {:>12} {:>7} {:>9} {:>9} {:>9}".format(*head))
    for one in counted:
        print("{:24} {:12} {:7} {:9} {:9} {:9}".format(*astuple(one)))
    for text in failed:
        print(text, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
