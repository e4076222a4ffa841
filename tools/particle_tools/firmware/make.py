"""Runs make with a limit, says in one line why it failed, digests what a build is made of."""

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from particle_tools import ROOT
from particle_tools.errors import UserError

# What a build may know of where it runs; any other variable could change what make makes
_PASSED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
_ENDING_S = 5.0
_TELLING = re.compile(r"\berror\b|Error|\*\*\*|undefined reference")


def run(
    what: str,
    arguments: Iterable[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    heard: Callable[[str], None] = lambda line: None,
) -> None:
    """Run make to build `what`; `heard` gets each line it prints.

    environment: variables beside those that say where programs and temporary files are.
    Raises UserError with the line that tells why it failed, also when it takes too long.
    """
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    process = subprocess.Popen(
        ["make", *arguments],
        env=passed | {"LC_ALL": "C"} | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    late = threading.Event()
    limit = threading.Timer(seconds, lambda: (late.set(), process.kill()))
    said = []
    try:
        limit.start()  # in here: started and not cancelled it would keep us till it is over
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            heard(said[-1])
        status = process.wait()
    finally:
        limit.cancel()
        _end(process)
    if late.is_set():
        raise UserError(f"building {what}: not done after {seconds:g} s")
    if status:
        wrong = [line for line in said if _TELLING.search(line)] or said[-1:]
        raise UserError(f"building {what}: {wrong[0] if wrong else 'make failed'}")


def _end(process: subprocess.Popen[str]) -> None:
    # nothing to do unless we were interrupted; make ends its compilers, and takes a moment
    process.terminate()
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def files(folder: Path) -> list[Path]:
    """List all files below `folder`, always in the same order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(texts: Iterable[str], paths: Iterable[Path]) -> str:
    """Return a digest of texts and of files of this project, with their names."""
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode() + b"\0")
    for path in paths:
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
