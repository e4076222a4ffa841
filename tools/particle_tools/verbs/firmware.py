"""`particle-mp firmware`: what runs on boards: MicroPython with the library frozen in, and
applications as signed updates.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

from particle_tools import whole_file
from particle_tools.errors import UserError
from particle_tools.images import actions as applications
from particle_tools.progress import Progress

HELP = "build MicroPython with the library frozen in; pack and sign applications"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="build the firmware of a board")
    build.add_argument("board", metavar="BOARD", help="a folder of boards/")
    build.add_argument(
        "--micropython", type=Path, metavar="DIR", help="source tree; default: Debian's package"
    )
    build.add_argument("--c-modules", action="store_true", help="link firmware/cmodules too")
    build.add_argument("--fresh", action="store_true", help="use nothing of an earlier build")
    build.add_argument("--json", action="store_true", help="print one JSON object")
    native = actions.add_parser(
        "native", help="build the C module as a native .mpy, for boards with stock firmware"
    )
    native.add_argument("arch", metavar="ARCH", help="armv6m for RP2040, armv7emsp for nRF52840")
    native.add_argument("--out", type=Path, metavar="DIR", help="default: build/native/ARCH")
    native.add_argument(
        "--micropython", type=Path, metavar="DIR", help="source tree; default: Debian's package"
    )
    native.add_argument("--json", action="store_true", help="print one JSON object")
    applications.add_arguments(actions)


def run(args: argparse.Namespace) -> int:
    """Do it, and say where the result is and what it takes."""
    if args.action == "native":
        return _native(args)
    if args.action != "build":
        return applications.run(args)
    from particle_tools.firmware import build

    _refuse_elsewhere(args.board)
    begin = time.monotonic()
    progress = Progress()
    try:
        image = build.build(
            args.board,
            args.micropython,
            fresh=args.fresh,
            c_modules=args.c_modules,
            progress=progress.show,
        )
    finally:
        progress.clear()
    if args.json:
        print(json.dumps(asdict(image)))
        return 0
    frozen = sum(image.modules.values())
    print(
        f"{args.board}: {image.elf}, {image.text} bytes of flash, {frozen} of them frozen code,"
        f" {time.monotonic() - begin:.0f} s"
    )
    return 0


def _refuse_elsewhere(name: str) -> None:
    # boards whose firmware only their vendor's compiler and libraries can build
    from particle_tools.boards import catalogue

    port = catalogue.find(name).port
    if port == "unix":
        raise UserError(f"{name}: its firmware is this computer's MicroPython: particle-mp sim")
    if port != "qemu":
        raise UserError(
            f"{name}: not built here, its compiler and libraries are its vendor's: see Build in"
            f" boards/{name}/board.md"
        )


def _native(args: argparse.Namespace) -> int:
    from particle_tools import ROOT
    from particle_tools.firmware import natmod

    made = natmod.build(args.arch, args.micropython)
    folder = args.out or ROOT / "build" / "native" / args.arch
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{natmod.NAME}.mpy"
    whole_file.write(path, made)
    if args.json:
        print(json.dumps({"arch": args.arch, "file": str(path), "bytes": len(made)}))
    else:
        print(f"{args.arch}: {path}, {len(made)} bytes; install: mpremote fs cp {path} :/lib/")
    return 0
