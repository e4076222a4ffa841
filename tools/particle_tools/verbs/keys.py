"""`particle-mp keys`: the keys of a device and of its cloud, in a folder or on a board."""

import argparse
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from particle_tools import arguments, whole_file
from particle_tools.errors import UserError

HELP = "make, show, check, import and export the keys of a device and of its cloud"
_DEFAULT = "http://127.0.0.1:8080"
_FORMS = {".pem": "PEM", ".der": "DER"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    made = actions.add_parser("make", help="make the key of a device unless there is one")
    made.add_argument("--transport", choices=("udp", "tcp", "both"), default="udp")
    shown = actions.add_parser("show", help="say which keys there are")
    checked = actions.add_parser("check", help="the same, and compare with the cloud; 1 if bad")
    checked.add_argument("--cloud", metavar="URL", help="REST address of the cloud")
    taken = actions.add_parser("import", help="take over a key: PEM or DER, EC or RSA")
    taken.add_argument(
        "file", type=Path, metavar="FILE", help="private: of the device, else of the server"
    )
    taken.add_argument("--force", action="store_true", help="replace a key that is different")
    given = actions.add_parser("export", help="write a key to a file")
    given.add_argument("which", choices=("device.ec", "device.rsa", "server.ec", "server.rsa"))
    given.add_argument("file", type=Path, metavar="FILE.pem|FILE.der", help="to be written")
    given.add_argument(
        "--private", action="store_true", help="the private key of the device, from a folder only"
    )
    fetched = actions.add_parser("server", help="fetch the keys of the cloud")
    fetched.add_argument("--cloud", default=_DEFAULT, metavar="URL", help="(%(default)s)")
    for action in (made, shown, checked, taken, given, fetched):
        where = action.add_mutually_exclusive_group(required=True)
        where.add_argument(
            "--dir", type=arguments.folder, metavar="DIR", help="a copy of the board's pt/"
        )
        where.add_argument("--port", metavar="PORT", help="serial port of the board")
    _add_dct(actions)
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print one JSON object")


def _add_dct(actions: Any) -> None:
    taken = actions.add_parser("import-dct", help="write an image's content as files of a store")
    taken.add_argument("image", type=Path, metavar="IMAGE", help="8391 bytes of a DCT")
    taken.add_argument(
        "folder", type=arguments.folder, metavar="DIR", help="to be copied to the board's pt/"
    )
    taken.add_argument("--force", action="store_true", help="replace files that are different")
    given = actions.add_parser("export-dct", help="write an image of the files of a store")
    given.add_argument(
        "folder", type=arguments.folder, metavar="DIR", help="a copy of the board's pt/"
    )
    given.add_argument("image", type=Path, metavar="IMAGE", help="file to be written")
    given.add_argument("--base", type=Path, metavar="FILE", help="image with everything else")
    for action in (taken, given):
        action.add_argument("--gen2", action="store_true", help="image of a Photon, P1, Electron")


def run(args: argparse.Namespace) -> int:
    """Do one of them, and name what was done, never a private key."""
    if args.action.endswith("-dct"):
        return _dct(args)
    if args.port:
        from particle_tools.provisioning.link import quiet

        with quiet() as out:
            return _on_keys(args, out)
    return _on_keys(args, None)


@contextlib.contextmanager
def _place(args: argparse.Namespace) -> Iterator[Any]:
    from particle_tools.key_files import Folder, OnBoard

    if args.dir:
        yield Folder(args.dir)
        return
    from particle_tools.provisioning.link import Board

    with Board(args.port) as board:
        yield OnBoard(board)


def _on_keys(args: argparse.Namespace, out: TextIO | None) -> int:
    # an argument that cannot be meant is refused before a board is disturbed
    key = _key_of(args.file) if args.action == "import" else None
    form = _form(args) if args.action == "export" else ""
    with _place(args) as place:
        if args.action == "make":
            changed = _make(args, place)
        elif args.action == "import":
            changed = _import(args, place, key)
        elif args.action == "server":
            changed = _server(args, place)
        elif args.action == "export":
            changed = [_export(args, place, form)]
        else:
            return _report(args, place, out)
    if args.json:
        print(json.dumps({"changed": changed}), file=out)
    else:
        print(", ".join(changed) or "nothing: everything is there", file=out)
    return 0


def _make(args: argparse.Namespace, place: Any) -> list[str]:
    from particle_tools.key_files import TRANSPORT
    from particle_tools.progress import Progress

    progress = Progress()
    wanted = ("udp", "tcp") if args.transport == "both" else (args.transport,)
    try:
        return [
            f"device.{TRANSPORT[transport]}.der"
            for transport in wanted
            if place.make(TRANSPORT[transport], progress.show)
        ]
    finally:
        progress.clear()


def _key_of(path: Path) -> Any:
    from particle_tools.key_files import Key

    try:
        key = Key.read(_read(path))
        key.check("device" if key.private else "server")
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return key


def _import(args: argparse.Namespace, place: Any, key: Any) -> list[str]:
    name = f"{'device' if key.private else 'server'}.{key.algorithm}.der"
    found = place.look()[name]
    if found.public == key.spki:
        return []
    if (found.public or found.problem) and not args.force:
        raise UserError(f"{name} is there and different: --force replaces it")
    place.write(name, key.private_bytes("DER") if key.private else key.spki)
    return [name]


def _form(args: argparse.Namespace) -> str:
    form = _FORMS.get(args.file.suffix.lower())
    if not form:
        raise UserError(f"{args.file}: its name says neither .pem nor .der")
    if args.private and (args.port or not args.which.startswith("device")):
        raise UserError("--private: a private key leaves no board, and a cloud's is not here")
    return form


def _export(args: argparse.Namespace, place: Any, form: str) -> str:
    from particle_tools.key_files import NAMES, Key

    name = args.which + ".der"
    found = place.look()[name]
    if found.problem or not found.public:
        raise UserError(f"{name}: {found.problem or 'there is none'}")
    if args.private:
        data = Key.read(place.read(name)).private_bytes(form)
    else:
        data = Key.read(found.public).public_bytes(form)
    if args.dir and args.file.resolve() in {(args.dir / name).resolve() for name in NAMES}:
        raise UserError(f"{args.file} is a key of the store itself: give it another name")
    whole_file.write(args.file, data, secret=args.private)
    return str(args.file)


def _server(args: argparse.Namespace, place: Any) -> list[str]:
    changed = []
    for name, key in _cloud_keys(args.cloud).items():
        if place.write(name, key):
            changed.append(name)
    return changed


def _cloud_keys(url: str) -> dict[str, bytes]:
    from particle_tools.sim.rest import Rest

    rest = Rest(url)
    rest.info()
    keys = {f"server.{alg}.der": rest.server_key(alg) for alg in ("ec", "rsa")}
    return {name: key for name, key in keys.items() if key}


def _report(args: argparse.Namespace, place: Any, out: TextIO | None) -> int:
    found = place.look()
    report = {name: entry.to_json() for name, entry in found.items()}
    if args.action == "check":
        for name, key in (_cloud_keys(args.cloud) if args.cloud else {}).items():
            if found[name].public not in (None, key):
                report[name]["problem"] = f"it is not the key of {args.cloud}"
        there = {name for name, entry in found.items() if entry.public}
        if not any({f"device.{a}.der", f"server.{a}.der"} <= there for a in ("ec", "rsa")):
            algorithm = "rsa" if there and not any(".ec." in name for name in there) else "ec"
            for role in ("device", "server"):
                entry = report[f"{role}.{algorithm}.der"]
                if not (entry["public_key"] or entry["problem"]):
                    entry["problem"] = "it is missing"
    bad = any(entry["problem"] for entry in report.values())
    if args.json:
        print(json.dumps({"ok": not bad, "keys": report}), file=out)
    else:
        for name, entry in report.items():
            state = entry["problem"] or entry["public_key"] or "none"
            print(f"{name:15} {state}", file=out)
    return 1 if bad and args.action == "check" else 0


def _dct(args: argparse.Namespace) -> int:
    from particle_tools import dct, key_files

    generation = "gen2" if args.gen2 else "gen3"
    if args.action == "export-dct":
        files = {p.name: _read(p) for p in _folder(args.folder) if p.is_file()}
        base = _read(args.base) if args.base else None
        whole_file.write(args.image, dct.write(files, generation, base), secret=True)
        names = sorted(files)
        left_out = []
    else:
        found = dct.read(_read(args.image), generation)
        store = key_files.Folder(args.folder)
        for name, data in found.files.items():
            if store.read(name) not in (None, data) and not args.force:
                path = args.folder / name
                raise UserError(f"{path} is there and different: --force replaces it")
        for name, data in found.files.items():
            store.write(name, data)
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
