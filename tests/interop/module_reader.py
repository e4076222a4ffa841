"""binary-version-reader, Particle's own reader of firmware modules, as a program."""

import json
import subprocess
from pathlib import Path
from typing import Any

from interop import node

NAME = "binary-version-reader (npm)"
PACKAGES = node.Packages("binary-version-reader")

_DRIVER = Path(__file__).with_name("module_driver.js")


def read(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do the jobs of module_driver.js and return their results, in order."""
    done = subprocess.run(
        [str(node.program()), str(_DRIVER)],
        cwd=PACKAGES.find(),
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
