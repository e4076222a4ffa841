"""The guides in docs/: their blocks, and a shell that does what they say with these tools."""

import os
import re
import subprocess
import sys
from pathlib import Path


def blocks(text, language):
    """Return the blocks of a guide in a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shell(commands, folder=None, **variables):
    """Run commands in a folder, `particle-mp` among them; return what they print."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=folder,
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
