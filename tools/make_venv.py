"""Make the virtual environment: `python3 tools/make_venv.py DIR [EXTRA]`.

Runs on the bare system Python, so it knows only the standard library. Works
where `ensurepip` is missing (Debian without python3-venv's wheels): then the
system's pip installs into the new environment.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_QUIET = ["--quiet", "--disable-pip-version-check", "--no-input"]


def main(argv):
    """Create DIR if needed and install the project, editable, with EXTRA."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this is the check
        return fail("Python 3.10 or newer is needed, this is " + sys.version.split()[0])
    target = Path(argv[0]).absolute()
    what = str(ROOT) + (f"[{argv[1]}]" if len(argv) > 1 else "")
    python = target / "bin" / "python"
    if not python.exists():
        venv.create(target, with_pip=False, symlinks=True)
    pip = installer(target, python)
    if pip is None:
        return fail("pip is missing: install python3-pip, or python3-venv")
    print(f"setup: installing into {argv[0]}, once", flush=True)
    return subprocess.call([*pip, "install", *_QUIET, "--editable", what])


def installer(target, python):
    """Return a command of a pip that installs into `target`, or None."""
    inside = [str(python), "-m", "pip"]
    if works(inside):
        return inside
    outside = [sys.executable, "-m", "pip"]
    if works([*outside, "--python", str(python)]):  # pip 22.3 and newer
        return [*outside, "--python", str(python)]
    if works([str(python), "-m", "ensurepip"]):
        subprocess.check_call(
            [str(python), "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL
        )
        return inside
    if works(outside):
        site = next(target.glob("lib/python*/site-packages"))
        subprocess.check_call([*outside, "install", *_QUIET, "--target", str(site), "pip"])
        return inside
    return None


def works(command):
    """Tell whether a pip-like command answers --version."""
    done = subprocess.run([*command, "--version"], capture_output=True, check=False)
    return done.returncode == 0


def fail(text):
    """Report one line and return the exit status."""
    print("setup: " + text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
