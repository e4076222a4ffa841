"""`particle-mp cloud`: serve the local cloud until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from particle_tools import arguments
from particle_tools.errors import UserError

HELP = "serve the local cloud: devices over UDP and TCP, REST and event streams over HTTP"

_DEVICE_TCP_PORT = 5683
_DEVICE_UDP_PORT = 5684
_HTTP_PORT = 8080
_PORTS = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of DESIGN 4."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (loopback)")
    parser.add_argument("--tcp-port", type=_port, default=_DEVICE_TCP_PORT, metavar="PORT")
    parser.add_argument("--udp-port", type=_port, default=_DEVICE_UDP_PORT, metavar="PORT")
    parser.add_argument("--http-port", type=_port, default=_HTTP_PORT, metavar="PORT")
    parser.add_argument(
        "--data",
        type=arguments.folder,
        metavar="DIR",
        help="folder of the database and the server's keys",
    )
    parser.add_argument(
        "--user",
        type=arguments.user,
        metavar="NAME:PASSWORD",
        help="create this user, or set its password",
    )
    parser.add_argument(
        "--lan", action="store_true", help="device ports on all interfaces, not only loopback"
    )
    parser.add_argument(
        "--time-scale", type=_scale, default=1.0, metavar="X", help="let time run X times faster"
    )
    actions = parser.add_subparsers(metavar="backup|restore", title="instead of serving")
    backup = actions.add_parser("backup", help="write all data to FILE; the cloud may run")
    backup.add_argument("folder", type=arguments.folder, metavar="DIR", help="the --data folder")
    backup.add_argument("file", type=Path, metavar="FILE", help="a new file")
    restore = actions.add_parser("restore", help="make a data folder from a backup")
    restore.add_argument("file", type=Path, metavar="FILE", help="what `backup` wrote")
    restore.add_argument("folder", type=arguments.folder, metavar="DIR", help="a new folder")
    for action, function in ((backup, _back_up), (restore, _restore)):
        action.add_argument("--json", action="store_true", help="print one JSON object")
        action.set_defaults(run=function)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= _PORTS:
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 = any free one)")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a time scale above 0")
    return scale


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    if args.data is None:
        raise UserError("--data DIR is missing: the folder of the database and the keys")
    return asyncio.run(_serve(args))


def _back_up(args: argparse.Namespace) -> int:
    from particle_tools.cloud.backup import back_up

    about = back_up(args.folder, args.file)
    if args.json:
        print(json.dumps({"file": str(args.file), **about}))
    else:
        print(
            f"{args.file} holds {args.folder} as of {about['made_at']}. Keep it secret: the"
            " server's keys are in it."
        )
    return 0


def _restore(args: argparse.Namespace) -> int:
    from particle_tools.cloud.backup import restore

    about = restore(args.file, args.folder)
    if args.json:
        print(json.dumps({"data": str(args.folder), **about}))
    else:
        print(
            f"{args.folder} is as of {about['made_at']}. Log in again, tokens are not restored;"
            " devices connect with a full handshake."
        )
    return 0


async def _serve(args: argparse.Namespace) -> int:
    # Late, so that `--help` and bad options need none of the libraries.
    from particle_tools.cloud.server import Cloud
    from particle_tools.cloud.settings import Settings

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    cloud = Cloud(
        Settings(
            data=args.data,
            host=args.host,
            tcp_port=args.tcp_port,
            udp_port=args.udp_port,
            http_port=args.http_port,
            user=args.user,
            lan=args.lan,
            time_scale=args.time_scale,
        )
    )
    await cloud.start()
    try:
        _greet(cloud)
        await stopped.wait()
    finally:
        await cloud.stop()
    return 0


def _greet(cloud) -> None:
    ready = cloud.ready()
    if cloud.new_password is not None:
        name, password = cloud.new_password
        print(
            f"Created the user {name} with the password {password} (shown only now).\n"
            f"Log in: curl {ready['http']}/oauth/token -u particle:particle"
            f" -d grant_type=password -d username={name} -d password={password}",
            file=sys.stderr,
        )
    if cloud.settings.lan:
        print(
            f"Devices dial {ready['host']} port {ready['udp_port']} (UDP)"
            f" or {ready['tcp_port']} (TCP).",
            file=sys.stderr,
        )
    try:
        print(f"ready {json.dumps(ready)}", flush=True)
    except BrokenPipeError as error:
        raise UserError("nobody reads the ready line") from error
