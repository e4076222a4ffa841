"""`particle-mp provision`: a board becomes a device of the cloud in one step, through mpremote."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from particle_tools.errors import UserError
from particle_tools.provisioning import arguments

HELP = "make keys on a board, register and claim it, tell it server and Wi-Fi"
_DEFAULT = "http://127.0.0.1:8080"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--port", metavar="PORT", help="serial port of the board")
    which.add_argument(
        "--batch",
        type=Path,
        metavar="FILE.csv",
        help="many boards: a column `port`, and any of name, transport, server, product, ssid,"
        " password; prints one JSON object a line",
    )
    parser.add_argument(
        "--cloud", default=_DEFAULT, metavar="URL", help="REST address of the cloud (%(default)s)"
    )
    arguments.add_owner(parser)
    parser.add_argument("--transport", choices=("udp", "tcp"), help="default: as the board's")
    parser.add_argument(
        "--server", metavar="HOST[:PORT]", help="address to dial; default: what the cloud says"
    )
    parser.add_argument("--product", type=int, metavar="ID", help="product that it belongs to")
    parser.add_argument("--product-version", type=int, metavar="N", help="its firmware's version")
    parser.add_argument("--name", help="name of the device in the cloud")
    arguments.add_networks(parser, "the password is asked for when it is left out")
    parser.add_argument(
        "--install", action="store_true", help="install the library if it is missing or too old"
    )
    parser.add_argument(
        "--new-key", action="store_true", help="make another key though there is one"
    )
    parser.add_argument(
        "--reset", action="store_true", help="start the board afterwards, with its main.py"
    )
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="boards at a time (4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Provision one board, or all of a file; 1 if one of them failed."""
    # late: mpremote and what reads keys are not needed to refuse an argument
    from particle_tools.progress import Progress
    from particle_tools.provisioning import batch
    from particle_tools.provisioning.link import BoardError, quiet
    from particle_tools.provisioning.registry import Registry
    from particle_tools.provisioning.steps import Order, Provisioner, failed
    from particle_tools.sim.first_start import address

    if args.server:
        address(args.server)
    for name, value in (("--product", args.product), ("--product-version", args.product_version)):
        if value is not None and not 0 <= value < 0xFFFF:
            raise UserError(f"{name} {value}: expected 0 to 65534")
    if not 1 <= args.jobs <= batch.MOST_JOBS:
        raise UserError(f"--jobs {args.jobs}: expected 1 to {batch.MOST_JOBS}")
    order = Order(
        transport=args.transport,
        server=args.server,
        product=args.product,
        product_version=args.product_version,
        networks=arguments.networks_of(args),
        name=args.name,
        new_key=args.new_key,
        reset=args.reset,
        install=_installer(args),
    )
    rows = batch.read(args.batch, order) if args.batch else []
    registry = Registry(args.cloud)
    arguments.log_in(registry, args)
    progress = Progress()
    with quiet() as out:
        if args.batch:
            return batch.run(registry, rows, args.jobs, progress, out)
        worker = Provisioner(registry, lambda _, text: progress.show(text))
        try:
            report = worker.run(args.port, order)
        except UserError as error:
            progress.clear()
            if args.json:
                print(json.dumps(failed(args.port, error)), file=out)
            if isinstance(error, BoardError):
                raise
            raise BoardError("cloud", str(error)) from None
        finally:
            progress.clear()
        if args.json:
            print(json.dumps(report), file=out)
        else:
            _show(report, out)
    return 0


def _installer(args: argparse.Namespace):
    def install(text: str) -> bool:
        if args.install:
            return True
        if args.batch or args.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        print(f"\r\033[K{text}\nInstall it now? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return install


def _show(report: dict[str, Any], out: TextIO) -> None:
    changed = report["changed"]
    key = "made on the board" if "device key" in changed else "was there"
    where = f"{report['server']} {report['transport'].upper()} port {report['server_port']}"
    rows = [
        ("device id", f"{report['device_id']} (from {report['id_from']})"),
        ("keys", f"{key}; SHA-256 of the public key {report['public_key'][:16]}"),
        ("server", f"{where}; SHA-256 of its key {report['server_key'][:16]}"),
    ]
    for network in report.get("networks", ()):
        rows.append(("wifi", f"{network['ssid']} {network['changed'] or 'was there'}"))
    rows += [("note", text) for text in report["notes"]]
    rows.append(("changed", ", ".join(changed) or "nothing: the board was ready"))
    for name, text in rows:
        print(f"{name:10} {text}", file=out)
