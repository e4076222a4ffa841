"""`particle-mp cloud`: serve the local cloud until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from particle_tools import arguments
from particle_tools.errors import UserError

if TYPE_CHECKING:
    from particle_tools.cloud.settings import Settings

HELP = "serve the local cloud: devices over UDP and TCP, REST and event streams over HTTP"

_PORTS_OF_DEVICES = {"tcp_port": 5683, "udp_port": 5684, "http_port": 8080}
_PORTS = 65536
_PLAIN = ("data", "host", *_PORTS_OF_DEVICES, "lan", "time_scale")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of DESIGN 4."""
    # What is not given is not there: it may be in the file of --config.
    parser.add_argument(
        "--config", type=Path, default=None, metavar="FILE", help="TOML; options win over it"
    )
    parser.add_argument(
        "--print-config", action="store_true", default=False, help="print all settings and end"
    )
    parser.add_argument("--host", help="address to listen on (loopback)")
    for name, default in _PORTS_OF_DEVICES.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=_port, metavar="PORT", help=f"{default}; 0 is any")
    parser.add_argument(
        "--data",
        type=arguments.folder,
        metavar="DIR",
        help="folder of the database and the server's keys",
    )
    parser.add_argument(
        "--user",
        type=arguments.user,
        action="append",
        metavar="NAME:PASSWORD",
        help="create this user, or set its password; may be given several times",
    )
    parser.add_argument(
        "--lan", action="store_true", help="device ports on all interfaces, not only loopback"
    )
    parser.add_argument(
        "--time-scale", type=_scale, metavar="X", help="let time run X times faster"
    )
    parser.add_argument(
        "--plan", choices=("off", "free", "growth"), help="what accounts may use in a month"
    )
    parser.add_argument(
        "--strict-limits", action="store_true", help="answer 429 to what is too often"
    )
    parser.add_argument("--log-format", choices=("text", "json"), help="lines for people or tools")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
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
    """Serve until SIGINT or SIGTERM; a second one ends at once."""
    # Late, so that `--help` and bad options need none of the libraries.
    from particle_tools.cloud import config_file, logs

    settings = _settings(args)
    if args.print_config:
        print(config_file.dump(settings), end="")
        return 0
    logs.configure(settings.log.format, settings.log.level)
    return asyncio.run(_serve(settings))


def _settings(args: argparse.Namespace) -> Settings:
    from particle_tools.cloud import config_file
    from particle_tools.cloud.settings import Logs, Plan, Rates, Settings

    known = config_file.load(args.config) if args.config is not None else {}
    known = {**_PORTS_OF_DEVICES, **known}
    given = vars(args)
    # An option that is absent is None or False, neither of which could be meant.
    known.update({name: given[name] for name in _PLAIN if given[name]})
    known.update({name: given[name] for name in _PORTS_OF_DEVICES if given[name] == 0})
    if args.user:
        users = dict(args.user)  # of one name the last password
        first, *more = users.items()
        others = [user for user in known.get("users", ()) if user[0] not in users]
        known["user"], known["users"] = first, (*more, *others)
    if args.plan is not None:
        known["plan"] = dataclasses.replace(known.get("plan", Plan()), name=args.plan)
    if args.strict_limits:
        known["rates"] = dataclasses.replace(known.get("rates", Rates()), strict=True)
    log = {"format": args.log_format, "level": args.log_level}
    log = {name: value for name, value in log.items() if value is not None}
    known["log"] = dataclasses.replace(known.get("log", Logs()), **log)
    if "data" not in known:
        raise UserError("--data DIR is missing: the folder of the database and the keys")
    return Settings(**known)


def _back_up(args: argparse.Namespace) -> int:
    from particle_tools.cloud.backup import back_up

    about = back_up(args.folder, args.file)
    text = f"{args.file} holds {args.folder} as of {about['made_at']}. Keep it secret: the"
    return _told(args, {"file": str(args.file), **about}, f"{text} server's keys are in it.")


def _restore(args: argparse.Namespace) -> int:
    from particle_tools.cloud.backup import restore

    about = restore(args.file, args.folder)
    text = f"{args.folder} is as of {about['made_at']}. Log in again, tokens are not restored;"
    values = {"data": str(args.folder), **about}
    return _told(args, values, f"{text} devices connect with a full handshake.")


def _told(args: argparse.Namespace, values: dict[str, Any], text: str) -> int:
    print(json.dumps(values) if args.json else text)
    return 0


async def _serve(settings: Settings) -> int:
    from particle_tools.cloud.server import Cloud

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if stopped.is_set():
            os._exit(128 + number)  # nothing acknowledged is lost: it is committed
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    cloud = Cloud(settings)
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
