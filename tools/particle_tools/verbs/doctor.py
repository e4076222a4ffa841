"""`particle-mp doctor`: why a device does not connect, and what to do (DESIGN decision 10)."""

import argparse
import json

from particle_tools import arguments
from particle_tools.errors import UserError

HELP = "find out why a device does not connect to a local cloud"

_MARKS = {True: "ok  ", False: "FAIL", None: "-   "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "--cloud",
        default="http://127.0.0.1:8080",
        metavar="URL",
        help="REST address of the cloud (%(default)s)",
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--user", metavar="NAME:PASSWORD", help="whose device it is")
    who.add_argument("--token", help="an access token of that user")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--data", type=arguments.folder, metavar="DIR", help="a simulated board's folder"
    )
    what.add_argument("--device", metavar="ID", help="id or name of a device")
    what.add_argument("--port", metavar="PORT", help="serial port of a board, which is restarted")
    parser.add_argument(
        "--write", action="store_true", help="with --port: also write and remove a file on it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 if a check has failed."""
    # Late: what reads a board's flash is not needed to refuse an argument.
    from particle_tools.doctor import Doctor, to_json
    from particle_tools.provisioning.link import quiet

    if args.device is not None and not args.device.strip():
        raise UserError("--device: an id or a name is needed")
    if args.write and args.port is None:
        raise UserError("--write: it goes with --port")
    doctor = Doctor(
        args.cloud, args.user, args.token, args.data, args.device, args.port, args.write
    )
    with quiet() as out:
        report = to_json(doctor.run())
    if args.json:
        print(json.dumps(report), file=out)
    else:
        for check in report["checks"]:
            print(f"{_MARKS[check['ok']]} {check['stage']}: {check['text']}", file=out)
            if check["remedy"]:
                print(f"     {check['remedy']}", file=out)
    return 0 if report["ok"] else 1
