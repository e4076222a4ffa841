"""`particle-mp keys`: keys and settings of a device, between a DCT image and a store's folder."""

import argparse
import json
from pathlib import Path

from particle_tools.errors import UserError

HELP = "take over the keys and settings of a Particle device, or give them back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    taken = actions.add_parser("import-dct", help="write an image's content as files of a store")
    taken.add_argument("image", type=Path, metavar="IMAGE", help="8391 bytes of a DCT")
    taken.add_argument("folder", type=Path, metavar="DIR", help="to be copied to the board's pt/")
    taken.add_argument("--force", action="store_true", help="replace files that are different")
    given = actions.add_parser("export-dct", help="write an image of the files of a store")
    given.add_argument("folder", type=Path, metavar="DIR", help="a copy of the board's pt/")
    given.add_argument("image", type=Path, metavar="IMAGE", help="file to be written")
    given.add_argument("--base", type=Path, metavar="FILE", help="image with everything else")
    for action in (taken, given):
        action.add_argument("--gen2", action="store_true", help="image of a Photon, P1, Electron")
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Convert, and name what was converted, never its content."""
    from particle_tools import dct

    generation = "gen2" if args.gen2 else "gen3"
    if args.action == "export-dct":
        files = {p.name: _read(p) for p in _folder(args.folder) if p.is_file()}
        base = _read(args.base) if args.base else None
        _write(args.image, dct.write(files, generation, base))
        names = sorted(files)
        left_out = []
    else:
        found = dct.read(_read(args.image), generation)
        args.folder.mkdir(parents=True, exist_ok=True)
        for name, data in found.files.items():
            path = args.folder / name
            if path.exists() and path.read_bytes() != data and not args.force:
                raise UserError(f"{path} is there and different: --force replaces it")
        for name, data in found.files.items():
            _write(args.folder / name, data)
        names, left_out = sorted(found.files), found.left_out
    if args.json:
        print(json.dumps({"files": names, "left_out": left_out}))
        return 0
    print(", ".join(names))
    for text in left_out:
        print(f"not taken over: {text}")
    return 0


def _folder(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    # it may be a private key
    try:
        path.touch(0o600)
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
