"""Runs cases on an interpreter and compares what it prints."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from device_suite import ROOT
from reference import nist, peer
from reference.nist import Case

# The unix port's wheel is started by CPython and must not find the stand-ins.
_PATHS = (
    {"MICROPYPATH": "lib:tests:.frozen"},
    {"PYTHONPATH": "tests/shims/cpython:lib:tests"},
)
GROUPS = {
    "key_pairs": nist.key_pairs,
    "public_keys": nist.public_keys,
    "shared_secrets": nist.shared_secrets,
    "made_signatures": nist.made_signatures,
    "checked_signatures": nist.checked_signatures,
    "hmacs": nist.hmacs,
    "ccm_texts": nist.ccm_texts,
    "edge_scalars": peer.edge_scalars,
    "edge_sums": peer.edge_sums,
    "signatures": lambda: peer.signatures(40),
    "random_hmacs": lambda: peer.hmacs(100),
    "records": lambda: peer.records(500),
}


def compare(
    argv: list[str], cases: Iterable[Case], folder: Path, seconds: float = 100, first: str = ""
) -> int:
    """Give cases to the interpreter started by `argv`; return how many there were.

    first: a folder where MicroPython looks for modules first. `*` in an expected text stands for
    any character. Raises AssertionError for results that differ.
    """
    cases = list(cases)
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps([name, *args]) + "\n" for name, args, _ in cases))
    paths = _PATHS[argv[0] == sys.executable]
    if first:
        paths = {"MICROPYPATH": os.pathsep.join([first, paths["MICROPYPATH"]])}
    done = subprocess.run(
        [*argv, "tests/reference/runner.py", str(path)],
        cwd=ROOT,
        env=os.environ | paths,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert differences(cases, lines[: len(cases)]) == []
    assert len(lines) == len(cases) and not done.returncode, done.stdout[-2000:]
    return len(cases)


def differences(cases: list[Case], lines: list[str]) -> list[str]:
    """List the results that differ from what is expected of cases."""
    found = [
        f"{name}{args}: {line}, not {expected}"
        for (name, args, expected), line in zip(cases, lines, strict=False)
        if not _same(expected, line)
    ]
    if len(lines) != len(cases):
        found.append(f"{len(lines)} results of {len(cases)}: {lines[-3:]}")
    return found


def _same(expected: str, found: str) -> bool:
    return len(expected) == len(found) and all(
        one in ("*", other) for one, other in zip(expected, found, strict=True)
    )
