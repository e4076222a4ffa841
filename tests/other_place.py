"""A copy of what builds things, elsewhere and in other surroundings: same results, or not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from particle_tools import ROOT

_PARTS = ("tools", "lib", "boards", "firmware")


class OtherPlace:
    """A checkout below `folder`, with younger files."""

    def __init__(self, folder: Path):
        self.root = folder / "another-place"
        for part in _PARTS:
            leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / part, self.root / part, copy_function=shutil.copy, ignore=leave)

    def run(self, module: str, *arguments: str, seconds: float = 100) -> str:
        """Run a module of the tools there and return what it printed."""
        there = {
            "PYTHONPATH": str(self.root / "tools"),
            "PYTHONHASHSEED": "77",
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C",
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=os.environ | there,
            umask=0o077,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
