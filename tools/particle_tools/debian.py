"""Debian packages and their sources by the machine's own apt, without installing anything.

A private apt root holds lists and state; the host is the one the machine's own
sources name. Everything raises RuntimeError with one line when it cannot be had.
"""

import re
import subprocess
from pathlib import Path

SUITE = "trixie"

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SECONDS = 300


def unpack_packages(work: Path, architecture: str, names: list[str]) -> Path:
    """Fetch binary packages of `SUITE` into `work` and return the folder they are unpacked to."""
    options = _apt_root(work, "deb", architecture)
    run(["apt-get", *options, "-q", "update"], work)
    run(["apt-get", *options, "-q", "download", *names], work)
    root = work / "root"
    root.mkdir()
    for package in sorted(work.glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(root)], work)
        package.unlink()
    _clean(work)
    return root


def unpack_sources(work: Path, names: list[str]) -> dict[str, Path]:
    """Fetch the upstream sources of packages of `SUITE` into `work`; return name -> folder.

    A name may end in `=VERSION`. Debian's own patches are left out: they replace what a package
    bundles by libraries of the system.
    """
    options = _apt_root(work, "deb-src", None)
    run(["apt-get", *options, "-q", "update"], work)
    run(["apt-get", *options, "-q", "source", "--download-only", *names], work)
    found = {}
    for name in (name.partition("=")[0] for name in names):
        (archive,) = work.glob(f"{name}_*.orig.tar.*")
        found[name] = work / name
        found[name].mkdir()
        run(["tar", "-xf", str(archive), "-C", name, "--strip-components=1"], work)
    for leftover in work.glob("*_*"):
        leftover.unlink()
    _clean(work)
    return found


def run(command: list[str], work: Path) -> None:
    """Run a command in `work`; RuntimeError holds the last line it said."""
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is missing: this needs a Debian-like machine") from None
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{command[0]}: nothing for {_SECONDS} s") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(f"{command[0]}: {lines[-1] if lines else 'failed'}")


def _apt_root(work: Path, kind: str, architecture: str | None) -> list[str]:
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    signed = f" [signed-by={_KEYRING}]" if Path(_KEYRING).exists() else ""
    (work / "sources.list").write_text(f"{kind}{signed} {_host()} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::archives": work / "archives",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
    }
    if architecture:
        settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    return [item for key, value in settings.items() for item in ("-o", f"{key}={value}")]


def _clean(work: Path) -> None:
    run(["rm", "-rf", "lists", "archives", "status", "sources.list"], work)


def _host() -> str:
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
