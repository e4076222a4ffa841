"""`particle-mp flash`: a bare board gets MicroPython, the library, its keys and configuration."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from particle_tools.errors import UserError

HELP = "write firmware, library, keys and configuration to a board"
_BAUD_LEAST = 9600
_STOPPED = 128 + signal.SIGINT
_LIBRARIES = ("littlefs", "romfs", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "board", metavar="BOARD", help="a folder of boards/, or NAME-VARIANT (particle-mp boards)"
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        help="serial port (ESP32), drive of the bootloader (RP2, nRF), `usb`, path or serial"
        " number of a DFU device (STM32)",
    )
    parser.add_argument("--firmware", type=Path, metavar="FILE", help="image with MicroPython")
    parser.add_argument("--dry-run", action="store_true", help="print every step, do none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    esp32 = parser.add_argument_group("ESP32")
    esp32.add_argument(
        "--out", type=Path, metavar="FILE", help="write one image of everything to FILE instead"
    )
    esp32.add_argument(
        "--library",
        choices=_LIBRARIES,
        help="where the library goes; default: where the board has room, none if it is frozen in",
    )
    esp32.add_argument(
        "--with",
        dest="extra",
        metavar="NAME,...",
        default="",
        help="components of the library besides those for connecting",
    )
    files = esp32.add_mutually_exclusive_group()
    files.add_argument("--erase", action="store_true", help="give up files that are on the board")
    files.add_argument("--keep-files", action="store_true", help="write no file system")
    esp32.add_argument("--baud", type=int, metavar="N", help="460800, 115200 with --no-reset")
    esp32.add_argument(
        "--no-reset", action="store_true", help="the board is in its bootloader already"
    )
    cloud = parser.add_argument_group(
        "keys and configuration (else: particle-mp provision, afterwards)"
    )
    cloud.add_argument("--cloud", metavar="URL", help="REST address of the cloud")
    cloud.add_argument("--user", metavar="NAME:PASSWORD", help="who will own the device")
    cloud.add_argument("--token", help="an access token of that user")
    cloud.add_argument("--transport", choices=("udp", "tcp"), help="default: as the board's")
    cloud.add_argument(
        "--server", metavar="HOST[:PORT]", help="address to dial; default: what the cloud says"
    )
    cloud.add_argument("--product", type=int, metavar="ID", help="product that it belongs to")
    cloud.add_argument("--product-version", type=int, metavar="N", help="its firmware's version")
    cloud.add_argument("--name", help="name of the device in the cloud")
    wifi = cloud.add_mutually_exclusive_group()
    wifi.add_argument("--wifi", metavar="SSID[:PASSWORD]", help="network to join")
    wifi.add_argument("--wifi-file", type=Path, metavar="FILE.json", help="a list of networks")


def run(args: argparse.Namespace) -> int:
    """Flash the board, or say what would be done."""
    # late: heavy, and not needed to refuse an argument
    from particle_tools.boards import catalogue
    from particle_tools.flash import firmware_file, job
    from particle_tools.flash.steps import Wishes
    from particle_tools.progress import Progress

    board = catalogue.find(args.board)
    only_host = args.dry_run or args.out
    if args.out:
        _check_out(args)
    if not args.port and not only_host:
        raise UserError("--port is needed; --dry-run prints the steps without a board")
    if args.baud is not None and args.baud < _BAUD_LEAST:
        raise UserError(f"--baud {args.baud}: expected {_BAUD_LEAST} or more")
    progress = Progress()
    wishes = Wishes(
        board=board,
        port=args.port,
        firmware=args.firmware,
        baud=args.baud,
        reset=not args.no_reset,
        erase=args.erase,
        keep_files=args.keep_files,
        library=args.library,
        extra=[name for name in args.extra.split(",") if name],
        identity=_identity(args, board),
        show=progress.show,
    )
    work = job.choose(wishes)
    if args.firmware is None and not args.dry_run:
        firmware_file.read(board, None)
    stopped = "nothing was written"
    report: dict[str, Any] = {"board": board.title, "port": args.port}
    if args.dry_run:
        steps = _merging(work).merge_steps(args.out) if args.out else work.steps()
        report |= {"dry_run": True, "steps": [step.to_json() for step in steps]} | work.report()
        _print(args, report, _plan(args, board.title, work, steps))
        return 0
    try:
        if args.out:
            _merging(work).merge(args.out)
            report |= {"out": str(args.out)} | work.report()
            _print(args, report, [f"{args.out}: {board.title}, MicroPython {work.version}"])
            return 0
        for step in work.steps():
            progress.show(step.text)
            stopped = step.stopped
            step.run()
    except KeyboardInterrupt:
        progress.clear()
        print(f"particle-mp flash: stopped, {stopped}", file=sys.stderr)
        return _STOPPED
    finally:
        progress.clear()
    report |= {"ok": True} | work.report()
    _print(args, report, _done(args, report))
    return 0


def _identity(args: argparse.Namespace, board: Any) -> Any:
    if not args.cloud:
        for name in ("user", "token"):
            if getattr(args, name) is not None:
                raise UserError(f"--{name} needs --cloud URL")
        for name in (
            "transport",
            "server",
            "wifi",
            "wifi_file",
            "product",
            "product_version",
            "name",
        ):
            if getattr(args, name) is not None:
                raise UserError(f"--{name.replace('_', '-')} needs --cloud URL and --user")
        return None
    from particle_tools.flash.identity import Identity
    from particle_tools.provisioning import networks
    from particle_tools.provisioning.registry import Registry
    from particle_tools.sim.first_start import address

    if args.keep_files:
        raise UserError("--keep-files: keys are files: leave --cloud out, provision it afterwards")
    if args.server:
        address(args.server)
    for name, value in (("--product", args.product), ("--product-version", args.product_version)):
        if value is not None and not 0 <= value < 0xFFFF:
            raise UserError(f"{name} {value}: expected 0 to 65534")
    wifi: list[dict[str, Any]] = []
    if args.wifi is not None:
        wifi = [networks.from_argument(args.wifi)]
    elif args.wifi_file:
        wifi = networks.from_file(args.wifi_file)
    registry = Registry(args.cloud)
    if not args.token and not args.user:
        raise UserError("--user NAME:PASSWORD or --token is needed: the device gets an owner")
    if args.user and ":" not in args.user:
        raise UserError(f"--user {args.user}: expected NAME:PASSWORD")
    if not args.dry_run:
        if args.token:
            registry.use(args.token)
        else:
            registry.login(args.user)
    return Identity(
        registry=registry,
        transport=args.transport or board.profile["TRANSPORT"],
        server=args.server,
        networks=wifi,
        product=args.product,
        product_version=args.product_version,
        name=args.name,
    )


def _check_out(args: argparse.Namespace) -> None:
    if args.cloud:
        raise UserError("--out: an image for many boards has no keys of one: leave --cloud out")
    for name in ("port", "baud", "no_reset", "keep_files"):
        if getattr(args, name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"--out writes a file, to no board: leave {option} out")
    if args.firmware and args.out.resolve() == args.firmware.resolve():
        raise UserError(f"--out {args.out} is the file of --firmware: give it another name")


def _merging(work: Any) -> Any:
    if not hasattr(work, "merge"):
        raise UserError("--out: only for an ESP32, others take their firmware as it is")
    return work


def _plan(args: argparse.Namespace, title: str, work: Any, steps: list[Any]) -> list[str]:
    firmware = _firmware(work.report()) if args.firmware else "--firmware FILE"
    lines = [f"{title}: {firmware}; nothing is done"]
    for number, step in enumerate(steps, 1):
        lines.append(f"{number}. {step.name}: {step.text}")
        if step.command:
            lines.append(f"   {shlex.join(step.command)}")
    return lines


def _firmware(report: dict[str, Any]) -> str:
    if report.get("packed"):
        return "packed for mboot, its version cannot be read"
    return f"MicroPython {report['firmware']}"


def _done(args: argparse.Namespace, report: dict[str, Any]) -> list[str]:
    chip = f"chip       {report['chip']}, MAC {report['mac']}" if report.get("mac") else None
    lines = [f"board      {report['board']} at {args.port}", chip]
    if report.get("drive"):
        lines.append(f"drive      {report['drive']}")
    lines.append(f"firmware   {_firmware(report)}")
    if report.get("packed"):
        lines.append("note       it cannot be read back: press RESET, and see that it starts")
    if report.get("files"):
        lines.append(f"files      {report['files']}, library in {report['library']}")
    lines += [f"written    {r['name']} {r['offset']:#x}" for r in report.get("regions", ())]
    if report.get("device_id"):
        lines.append(f"device id  {report['device_id']}, dials {report['server']}")
        lines.append(f"note       {report['note']}" if report.get("note") else None)
    else:
        # a drive and a DFU device are gone, the port of what starts is not known
        port = args.port if report.get("mac") else "PORT"
        install = "" if report["installed"] else " --install"
        lines.append(
            f"next       particle-mp provision --port {port}{install} --user NAME:PASSWORD"
        )
    return [line for line in lines if line]


def _print(args: argparse.Namespace, report: dict[str, Any], lines: list[str]) -> None:
    if args.json:
        print(json.dumps(report))
    else:
        print("\n".join(lines), file=sys.stdout)
