"""`particle-mp setup softap`: sets a board up over its own access point, as a phone does."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import time
from typing import Any

from particle_tools.errors import UserError
from particle_tools.provisioning import arguments

HELP = "set a board up over the access point that it opens"
_ONLINE = 120.0  # s
_POLL = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    softap = actions.add_parser("softap", help="this machine is in the network of the board")
    softap.add_argument(
        "--address", default="192.168.0.1", metavar="HOST", help="of the board (%(default)s)"
    )
    softap.add_argument("--port", type=int, metavar="N", help="of its protocol (5609, or 80)")
    softap.add_argument("--http", action="store_true", help="use HTTP instead of TCP")
    softap.add_argument(
        "--pages", type=int, metavar="N", help="port of its HTTP server when TCP is used (80)"
    )
    softap.add_argument("--list", action="store_true", help="only list the networks that it hears")
    arguments.add_networks(softap, "what is left out is asked for at a terminal")
    claim = softap.add_mutually_exclusive_group()
    claim.add_argument("--claim-code", metavar="CODE", help="63 characters of the cloud")
    claim.add_argument("--cloud", metavar="URL", help="fetch one there, and wait for the board")
    arguments.add_owner(softap)
    softap.add_argument(
        "--stay", action="store_true", help="do not join: the board stays in setup mode"
    )
    softap.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Set one board up, or list what it hears."""
    from particle_tools.progress import Progress
    from particle_tools.softap.client import Device
    from particle_tools.softap.steps import Order, Setup

    for name, value in (("--port", args.port), ("--pages", args.pages)):
        if value is not None and not 0 < value <= 0xFFFF:
            raise UserError(f"{name} {value}: expected 1 to 65535")
    wifi = arguments.networks_of(args)
    if not (wifi or args.list) and (args.json or not sys.stdin.isatty()):
        raise UserError("--wifi SSID or --wifi-file FILE is needed, or --list")
    api = _cloud(args)
    device = Device(args.address, args.port, args.http)
    pages = device if args.http else Device(args.address, args.pages, http=True)
    progress = Progress()
    setup = Setup(device, pages, progress.show)
    try:
        if not wifi:
            found = setup.scan()
            progress.clear()
            _list(found, args.json)
            if args.list:
                return 0
            wifi = [_choose(found)]
        code = args.claim_code
        if api:
            code = api.post("/v1/device_claims")["claim_code"]
        report = setup.run(Order(wifi, code, not args.stay))
        if api and not args.stay:
            progress.show("waiting for the cloud to see it")
            _wait(api, report["device_id"])
            report["online"] = True
    finally:
        progress.clear()
    _show(report, args.json)
    return 0


def _cloud(args: argparse.Namespace) -> Any:
    if not args.cloud:
        return None
    from particle_tools.local import Api

    api = Api(args.cloud)
    arguments.log_in(api, args)
    return api


def _wait(api: Any, device_id: str) -> None:
    end = time.monotonic() + _ONLINE
    problem = "the cloud has not seen it"
    while time.monotonic() < end:
        try:
            if api.device(device_id).get("connected"):
                return
        except UserError as error:
            # not its owner's yet; or this machine is still in the board's network
            problem = str(error)
        time.sleep(_POLL)
    raise UserError(f"device {device_id} was set up, but is not online: {problem}")


def _list(found: list[dict[str, Any]], as_json: bool) -> None:
    from particle_tools.softap.client import security_name

    if as_json:
        named = [entry | {"security": security_name(entry["sec"])} for entry in found]
        print(json.dumps({"networks": named}))
        return
    for entry in found:
        name = _printable(entry["ssid"])
        print(f"{entry['rssi']:4} dBm  {security_name(entry['sec']):15} {name}")
    if not found:
        print("the board hears no network")


def _printable(text: str) -> str:
    # whoever is near chooses the names of networks, and the terminal obeys
    return "".join(c if c.isprintable() else f"\\x{ord(c) & 255:02x}" for c in text)


def _choose(found: list[dict[str, Any]]) -> dict[str, Any]:
    from particle_tools.provisioning import networks

    try:
        wanted = input("Network, by its line (1 is the first) or its name: ").strip()
        if wanted.isdecimal() and 1 <= int(wanted) <= len(found):
            entry = found[int(wanted) - 1]
            ssid = entry["ssid"].encode("utf-8", "surrogateescape")
            prompt = f"Password of {_printable(entry['ssid'])}: "
            password = getpass.getpass(prompt) if entry["sec"] else ""
            return {"ssid": ssid, "password": os.fsencode(password) or None}
        return networks.from_argument(wanted)
    except EOFError:
        raise UserError("no network was chosen") from None


def _show(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    rows = [("device id", report["device_id"])]
    rows += [("wifi", f"{name} stored") for name in report["networks"]]
    if report.get("joined"):
        rows.append(("joined", f"{report['joined']['ssid']} as {report['joined']['ip']}"))
    if report.get("claim_code"):
        rows.append(("claim code", "stored"))
    if report.get("online"):
        rows.append(("cloud", "online"))
    for name, text in rows:
        print(f"{name:10} {_printable(text)}")
