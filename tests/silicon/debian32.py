"""A 32-bit MicroPython 1.25 without a compiler: Debian's i386 package in a private apt root.

Nothing is installed on the machine: the packages of suite trixie are fetched
with the machine's own apt from the host its own sources name, unpacked into the
cache, and started through their own dynamic loader.
"""

import re
import subprocess
from pathlib import Path

import cache

NAME = "debian-trixie-i386-micropython"
COMMAND = "make fetch"

_SUITE = "trixie"
_PACKAGES = (
    "micropython libc6 libffi8 libgcc-s1 libmbedtls21 libmbedx509-7 libmbedcrypto16"
).split()
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def find() -> list[str] | None:
    """Return the command that starts the interpreter, or None when it was not fetched."""
    root = cache.folder() / NAME / "root"
    loader = root / "usr/lib/i386-linux-gnu/ld-linux.so.2"
    if not loader.exists():
        loader = root / "usr/lib/ld-linux.so.2"
    if not loader.exists():
        return None
    library_path = str(root / "usr/lib/i386-linux-gnu")
    return [str(loader), "--library-path", library_path, str(root / "usr/bin/micropython")]


def fetch() -> list[str]:
    """Fetch and unpack it unless that was done, and return the command that starts it.

    Raises RuntimeError with a one-line reason, for instance when the machine has no Debian
    package source.
    """
    cache.install(NAME, _fill)
    return find()


def _fill(work: Path) -> None:
    options = _apt_root(work)
    _run(["apt-get", *options, "-q", "update"], work)
    _run(["apt-get", *options, "-q", "download", *_PACKAGES], work)
    root = work / "root"
    for package in sorted(work.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)], work)
        package.unlink()
    for leftover in ("lists", "archives"):
        _run(["rm", "-rf", leftover], work)


def _apt_root(work: Path) -> list[str]:
    for folder in ("lists/partial", "archives/partial", "root"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    signed = f" [signed-by={_KEYRING}]" if Path(_KEYRING).exists() else ""
    (work / "sources.list").write_text(f"deb{signed} {_debian_host()} {_SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "APT::Architecture": "i386",
        "APT::Architectures": "i386",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
    }
    return [item for key, value in settings.items() for item in ("-o", f"{key}={value}")]


def _debian_host() -> str:
    for path in [
        Path("/etc/apt/sources.list"),
        *sorted(Path("/etc/apt/sources.list.d").glob("*.sources")),
        *sorted(Path("/etc/apt/sources.list.d").glob("*.list")),
    ]:
        for line in path.read_text().splitlines() if path.exists() else ():
            match = re.search(r"https?://\S+/debian/?(?=\s|$)", line)
            if match and not line.lstrip().startswith("#"):
                return match[0]
    raise RuntimeError("this machine's apt names no Debian package source")


def _run(command: list[str], work: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=300, check=False
        )
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is missing: this needs a Debian-like machine") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(f"{command[0]}: {lines[-1] if lines else 'failed'}")
