"""`particle-mp firmware pack`, `sim`, `sign`, `inspect` and `keys`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from particle_tools import __version__, whole_file
from particle_tools.errors import UserError

_MOST = 0xFFFE  # of numbers that stand in 16 bits, where all ones mean none
_DEFLATE_BITS = 10


def add_arguments(actions: Any) -> None:
    """Add the actions to the verb."""
    pack = actions.add_parser("pack", help="compile a folder, or wrap an image, into an update")
    pack.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="app.py and what it needs"
    )
    pack.add_argument(
        "--image",
        type=Path,
        metavar="FILE",
        help="instead of DIR: a whole firmware (ESP32, mboot), or an application as a ROMFS",
    )
    pack.add_argument("--board", required=True, metavar="NAME", help="NAME of its profile")
    pack.add_argument("--platform", type=int, metavar="ID", help="default: of boards/NAME")
    pack.add_argument("--product", type=int, metavar="ID", help="default: it is no product")
    pack.add_argument("--version", type=int, required=True, metavar="N", help="of the application")
    pack.add_argument("--floor", type=int, default=0, metavar="N", help="lowest version after it")
    pack.add_argument("--client", default=__version__, metavar="X.Y.Z", help="least library")
    pack.add_argument("--arch", metavar="NAME", help="of native code, as mpy-cross has it")
    pack.add_argument("--key", type=Path, metavar="FILE", help="private key to sign with")
    pack.add_argument("--delta", type=Path, metavar="FILE", help="update that boards have now")
    pack.add_argument(
        "--deflate",
        type=int,
        nargs="?",
        const=_DEFLATE_BITS,
        default=0,
        metavar="BITS",
        help=f"compress with a window of 9 to 12 bits, {_DEFLATE_BITS} when not given",
    )
    pack.add_argument(
        "--asset", type=Path, action="append", default=[], metavar="FILE", help="may be repeated"
    )
    simulated = actions.add_parser(
        "sim", help="make a firmware of a board of `sim --esp32` or `sim --mboot`"
    )
    simulated.add_argument("folder", type=Path, metavar="DIR", help="modules to freeze in it")
    simulated.add_argument("--mboot", action="store_true", help="for the latter")
    simulated.add_argument(
        *("-o", "--output"),
        type=Path,
        metavar="FILE",
        help="default: micropython.bin, firmware.pack.dfu",
    )
    sign = actions.add_parser("sign", help="sign an update, in place of its signature")
    sign.add_argument("file", type=Path, metavar="FILE")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key")
    pack.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: NAME-N.bin, .zip with assets"
    )
    sign.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: in its place")
    inspect = actions.add_parser("inspect", help="say what an update or any module is")
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--key", type=Path, metavar="FILE", help="check the signature with it")
    keys = actions.add_parser("keys", help="make a key to sign with, or name one")
    keys.add_argument("key", type=Path, metavar="FILE", help="private or public key")
    keys.add_argument("--new", choices=("p256", "rsa2048"), help="make it")
    keys.add_argument("--public", type=Path, metavar="DER", help="write what boards need")
    for action in (pack, simulated, sign, inspect, keys):
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Do one of the actions."""
    does: dict[str, Callable[[argparse.Namespace], int]] = {
        "pack": _pack,
        "sim": _sim,
        "sign": _sign,
        "inspect": _inspect,
        "keys": _keys,
    }
    return does[args.action](args)


def _pack(args: argparse.Namespace) -> int:
    from particle_tools.images import applications, bundles, files, signing

    if (args.folder is None) == (args.image is None):
        raise UserError("name a folder, or an --image")
    board = args.board.partition("-")[0]  # a variant has the NAME of its board
    platform = args.platform
    if platform is None:
        platform = applications.platform_of(board)
    if platform is None:
        raise UserError(f"boards/{board} is not there: name its --platform")
    product = platform if args.product is None else args.product
    for name, value in (("platform", platform), ("product", product), ("version", args.version)):
        if not 0 <= value <= _MOST:
            raise UserError(f"--{name} {value}: 0 to {_MOST}")
    if not 0 <= args.floor <= args.version:
        raise UserError(f"--floor {args.floor}: 0 to the version, {args.version}")
    if args.deflate and args.deflate not in bundles.WINDOWS:
        raise UserError(f"--deflate {args.deflate}: 9 to 12 bits")
    key = signing.private(args.key) if args.key else None
    assets: dict[str, bytes] = {}
    for path in args.asset:
        if path.name in assets or not path.is_file() or len(path.name.encode()) > 255:
            raise UserError(f"{path} is no file, or there is another asset of its name")
        assets[path.name] = path.read_bytes()
    content = _image(args) if args.image else applications.files(args.folder, args.arch)
    if args.folder and "app.mpy" not in content:
        raise UserError(f"{args.folder} has no app.py, the module that boards run (no main.py)")
    facts = bundles.Facts(
        board,
        platform,
        product,
        args.version,
        args.floor,
        applications.abi(content),
        _number(args.client),
        assets=bundles.assets(assets),
    )
    earlier = None
    if args.delta:
        earlier = files.read(args.delta).bundle
        if earlier is None or earlier.facts.board != board:
            raise UserError(f"{args.delta} is no bundle for {board} to build on")
    bundle = bundles.make(facts, content, earlier, args.deflate)
    if key:
        bundle = bundle.signed(key)
    suffix = ".zip" if assets else ".bin"
    out = args.output or Path(f"{board}-{args.version}{suffix}")
    _write(out, files.pack(bundle, assets), args.key)
    return _said(args, out)


def _image(args: argparse.Namespace) -> dict[str, bytes]:
    # what the bundle holds; only what the board takes, as far as that is known here
    from particle_tools.boards import catalogue
    from particle_tools.images import esp_image, modules, whole

    for option in ("delta", "deflate", "arch", "asset"):
        if getattr(args, option):
            raise UserError(f"--{option} goes with a folder: an image is sent as it is")
    kind, data = whole.read(args.image)
    if kind.function == modules.NCP and not args.version:
        raise UserError("--version 0 is the firmware that a board came with: 1 or more")
    if "/" in args.board or args.board.partition("-")[0] not in catalogue.names():
        return {kind.name: data}
    board = catalogue.find(args.board)
    if board.profile["OTA"] != kind.ota and board.port != "unix":
        raise UserError(
            f"{args.image} is {kind.text}, {args.board} takes none (OTA = {board.profile['OTA']})"
        )
    if board.port == "esp32":
        chip = esp_image.read(data).name
        if chip.lower().replace("-", "") != board.chip:
            raise UserError(f"{args.image} is for {chip}, {args.board} is an {board.chip}")
    return {kind.name: data}


def _sim(args: argparse.Namespace) -> int:
    from particle_tools.sim import esp32, stm32

    if args.mboot:
        data = stm32.firmware(args.folder)
    else:
        data = esp32.firmware(args.folder, __version__)
        if len(data) > esp32.SLOT_BYTES:
            raise UserError(
                f"{len(data)} bytes; there is room for {esp32.SLOT_BYTES} on the board"
            )
    output = args.output or Path("firmware.pack.dfu" if args.mboot else "micropython.bin")
    whole_file.write(output, data)
    if args.json:
        print(json.dumps({"file": str(output), "bytes": len(data)}))
    else:
        kind = "mboot" if args.mboot else "esp32"
        print(f"{output}: {len(data)} bytes, for `particle-mp sim --{kind}`")
    return 0


def _sign(args: argparse.Namespace) -> int:
    from particle_tools.images import files, signing

    update = files.read(args.file)
    if update.bundle is None:
        raise UserError(f"{args.file} is no bundle: only those are signed")
    missing = set(update.module.assets()) - set(update.assets)
    if missing:
        raise UserError(f"{args.file} needs assets that it does not hold: sign the ZIP")
    out = args.output or args.file
    bundle = update.bundle.signed(signing.private(args.key))
    _write(out, files.pack(bundle, update.assets), args.key)
    return _said(args, out)


def _inspect(args: argparse.Namespace) -> int:
    found = _look(args.file, args.key)
    if args.json:
        print(json.dumps(found))
        return 0
    for module in found["modules"]:
        numbers = module["product"]
        print(
            f"module: function {module['function']}, index {module['index']}, version"
            f" {module['version']}, platform {module['platform']}, {module['size']} bytes,"
            + (f" product {numbers['id']} version {numbers['version']}" if numbers else "")
        )
    bundle = found["bundle"]
    if bundle:
        for key, value in bundle["facts"].items():
            if key != "assets":
                print(f"{key}: {value}")
        print(f"signature: {bundle['signature']}, key {bundle['key_id'] or 'none'}")
        for each in bundle["files"]:
            kept = " (kept)" if each["kept"] else ""
            print(f"{each['size']:8} {each['path']}{kept}")
    for name, held in found["assets"].items():
        print(f"asset: {name}" + ("" if held else " (not in this file)"))
    return 0


def _look(path: Path, key: Path | None) -> dict[str, Any]:
    from particle_tools.images import files, modules, signing

    update = files.read(path)
    bundle = update.bundle
    if key and (bundle is None or not bundle.signed_by(signing.public(key))):
        raise UserError(f"{path} is not signed with {key}")
    described = []
    for module in update.modules:
        prefix = module.prefix
        numbers = module.product
        described.append(
            {
                "function": modules.LETTERS[prefix.function],
                "index": prefix.index,
                "version": prefix.version,
                "platform": prefix.platform_id,
                "size": len(module.data),
                "sha256": module.sha256.hex(),
                "needs": [list(need) for need in prefix.needs if need.function],
                "product": numbers and {"id": numbers[0], "version": numbers[1]},
            }
        )
    found: dict[str, Any] = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "modules": described,
        "bundle": None,
        "assets": {name: name in update.assets for name in update.module.assets()},
    }
    if bundle:
        found["bundle"] = {
            "facts": bundle.facts.plain(),
            "window": bundle.window,
            "signature": signing.NAMES[bundle.kind],
            "key_id": bundle.key_id.hex(),
            "checked": key is not None,
            "files": [
                {"path": e.path, "size": e.size, "sha256": e.sha256.hex(), "kept": e.kept}
                for e in bundle.entries
            ],
        }
    return found


def _keys(args: argparse.Namespace) -> int:
    from particle_tools.images import signing

    if args.new:
        key = signing.make(args.key, args.new).public_key()
    else:
        key = signing.public(args.key)
    if args.public:
        _write(args.public, signing.der(key), args.key)
    found = {"key_id": signing.key_id(key).hex(), "kind": signing.NAMES[signing.kind(key) or 0]}
    if args.json:
        print(json.dumps(found))
    else:
        print(f"{args.key}: {found['kind']}, key {found['key_id']}")
    return 0


def _said(args: argparse.Namespace, out: Path) -> int:
    found = _look(out, None)
    bundle = found["bundle"]
    if args.json:
        print(json.dumps(found))
        return 0
    kept = sum(each["kept"] for each in bundle["files"])
    signed = f"signed with {bundle['key_id']}" if bundle["key_id"] else "NOT SIGNED"
    print(
        f"{out}: {found['bytes']} bytes, version {bundle['facts']['version']},"
        f" {len(bundle['files'])} files"
        + (f", {kept} of them kept" if kept else "")
        + f", {signed}"
    )
    return 0


def _write(path: Path, data: bytes, key: Path | None) -> None:
    if key and path.resolve() == key.resolve():
        raise UserError(f"{path} is the key itself: give what is written another name")
    whole_file.write(path, data)


def _number(version: str) -> int:
    # as particle.version_number
    try:
        parts = [int(part) for part in version.split(".")]
        if len(parts) != 3:
            raise ValueError
        return int.from_bytes(bytes([*parts, 0]), "big")
    except ValueError:
        raise UserError(f"--client {version}: as 0.1.0") from None
