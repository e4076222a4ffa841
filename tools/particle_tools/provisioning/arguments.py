"""Arguments that verbs have in common: the networks of a board, and who will own it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

from particle_tools.errors import UserError


class Account(Protocol):
    """REST of a cloud."""

    def use(self, token: str) -> None:
        """Take an access token."""

    def login(self, user: str) -> None:
        """Log in with NAME:PASSWORD."""


def add_networks(parser: argparse.ArgumentParser, left_out: str) -> None:
    """Add --wifi and --wifi-file; left_out: what becomes of a part that is not given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--wifi", metavar="SSID[:PASSWORD]", help=f"network to join; {left_out}")
    group.add_argument("--wifi-file", type=Path, metavar="FILE.json", help="a list of networks")


def networks_of(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the networks that are given, at most one asked for its password. Raises UserError."""
    from particle_tools.provisioning import networks

    if args.wifi is not None:
        return [networks.from_argument(args.wifi)]
    return networks.from_file(args.wifi_file) if args.wifi_file else []


def add_owner(parser: argparse.ArgumentParser) -> None:
    """Add --user and --token."""
    parser.add_argument("--user", metavar="NAME:PASSWORD", help="who will own the device")
    parser.add_argument("--token", help="an access token of that user")


def log_in(account: Account, args: argparse.Namespace) -> None:
    """Act as the owner from now on. Raises UserError."""
    if args.token:
        account.use(args.token)
    elif args.user:
        account.login(args.user)
    else:
        raise UserError("--user NAME:PASSWORD or --token is needed: the device gets an owner")
