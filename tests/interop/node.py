"""Peers from npm: exact versions with their checksums in npm/NAME, installed once into the cache.

No script of a package runs when it is installed. A changed lock file is a new folder.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cache

COMMAND = "make fetch"

_FILES = ("package.json", "package-lock.json")


class Packages:
    """The packages of npm/NAME. patch: called with the folder before it is put in place."""

    def __init__(self, name: str, patch: Callable[[Path], None] | None = None):
        self._source = Path(__file__).parent / "npm" / name
        self._patch = patch
        lock = b"".join((self._source / file).read_bytes() for file in _FILES)
        self._name = f"npm-{name}-{hashlib.sha256(lock).hexdigest()[:12]}"

    def find(self) -> Path | None:
        """Return the folder that holds node_modules, or None when it was not fetched."""
        found = cache.folder() / self._name
        return found if program() and found.is_dir() else None

    def fetch(self) -> None:
        """Install it unless that was done. Raises RuntimeError with a one-line reason."""
        cache.install(self._name, self._fill)

    def _fill(self, work: Path) -> None:
        npm = shutil.which("npm")
        if npm is None or program() is None:
            raise RuntimeError("node or npm is missing: apt-get install nodejs npm")
        for file in _FILES:
            shutil.copy(self._source / file, work)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        done = subprocess.run(
            [npm, "ci", *quiet], cwd=work, capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RuntimeError(f"npm: {lines[0] if lines else 'failed'}")
        if self._patch:
            self._patch(work)


def program() -> str | None:
    """Return the path of node, None when it is missing."""
    return shutil.which("node")
