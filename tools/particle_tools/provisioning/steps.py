"""What is done to one board, in an order in which every interruption can be repeated.

The keys first, the settings last: a board with settings has everything that they need. What is
so already is left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from particle_tools.board_report import PORTS
from particle_tools.errors import UserError
from particle_tools.provisioning import library, networks
from particle_tools.provisioning.link import Board, BoardError, LibraryMissing
from particle_tools.provisioning.registry import Registry, algorithm_of, facts, is_loopback

_SIMULATED = "UNIX_SIM"
_ID = re.compile("[0-9a-fA-F]{24}")
_NEWER = "newer version"


@dataclass(frozen=True)
class Order:
    """What a board is to become; None: as it is, or as the cloud says.

    install: asked with one line whether the missing library is to be installed.
    """

    transport: str | None = None
    server: str | None = None
    product: int | None = None
    product_version: int | None = None
    networks: list[dict[str, Any]] = field(default_factory=list)
    name: str | None = None
    new_key: bool = False
    reset: bool = False
    install: Callable[[str], bool] = lambda _: False


class Provisioner:
    """Does it, for one board after the other or several at a time; registry: logged in.

    show: is told what is being done, in words.
    """

    def __init__(
        self, registry: Registry, show: Callable[[str, str], None] = lambda _port, _text: None
    ) -> None:
        self._registry = registry
        self._show = show

    def run(self, port: str, order: Order) -> dict[str, Any]:
        """Return the report. Raises BoardError, UserError; then running it again goes on."""
        report: dict[str, Any] = {"port": port, "ok": True, "changed": [], "notes": []}
        self._show(port, "looking at the board")
        with Board(port) as board:
            try:
                look = self._look(board, order)
            except _Absent as absent:
                if not order.install(absent.text):
                    raise
                if library.install(board, absent.components, self._teller(port)):
                    report["changed"].append("library")
                board.restart()
                look = self._look(board, order)
            try:
                self._provision(board, port, order, look, report)
            except LibraryMissing as missing:
                text = library.explain(missing, look["transport"], look["net"])
                raise BoardError("library", text) from None
            if order.reset:
                board.reset()
        return report

    def _teller(self, port: str) -> Callable[[str], None]:
        return lambda text: self._show(port, text)

    def _look(self, board: Board, order: Order) -> dict[str, Any]:
        bare = board.run("bare", modules=library.needed())
        transport = library.transport_of(bare, order.transport)
        try:
            library.check(bare, transport)
            look = board.run("look")
        except LibraryMissing as missing:
            text = library.explain(missing, transport, bare["net"])
            raise _Absent(text, library.components(transport, bare["net"])) from None
        _check(look)
        stored = look["config"].get("transport")
        look["transport"] = order.transport or (stored if stored in PORTS else transport)
        return look

    def _provision(
        self, board: Board, port: str, order: Order, look: dict[str, Any], report: dict[str, Any]
    ) -> None:
        changed = report["changed"]
        transport = look["transport"]
        device_id = look["device_id"]
        server = self._registry.server(transport, order.server)
        report |= {"device_id": device_id, "id_from": look["id_from"], "board": look["name"]}
        report |= {"transport": transport} | facts(server)
        if is_loopback(server.host) and not _on_this_machine(look):
            text = f"{server.host} is this machine only, which {port} cannot dial:"
            text += " start the cloud with --lan, or give --server ADDRESS"
            raise BoardError("server", text)
        if not is_loopback(server.host) and self._registry.on_loopback():
            report["notes"].append("the cloud listens on this machine only: start it with --lan")

        def key_progress(percent: int) -> None:
            self._show(port, f"device key: {percent} %")

        self._show(port, "device key")
        made, spki = board.run(
            "device_key", key_progress, transport=transport, make_it=True, again=order.new_key
        )
        public = bytes.fromhex(spki)
        report["public_key"] = hashlib.sha256(public).hexdigest()
        if made:
            changed.append("device key")

        self._show(port, "registration")
        if self._registry.register(device_id, transport, public):
            changed.append("registration")
        if order.product is not None:
            self._show(port, "product")
            if self._registry.into_product(device_id, order.product):
                changed.append("product")
        if order.name is not None and self._registry.name(device_id, order.name):
            changed.append("name")

        if order.networks:
            self._show(port, "wifi")
            report["networks"] = self._networks(board, order, report)
        elif look["net"] == "wifi" and not look["networks"]:
            report["notes"].append("it knows no Wi-Fi network: --wifi SSID")

        self._show(port, "settings")
        values: dict[str, Any] = {"device_id": device_id, "transport": transport}
        values |= {"server": server.host, "port": server.port}
        if order.product is not None:
            values["product_id"] = order.product
        if order.product_version is not None:
            values["product_version"] = order.product_version
        key_name = f"server.{algorithm_of(transport)}.der"
        changed += board.run("settings", values=values, key_name=key_name, key=server.key)
        report["notes"] += [f"{stage}: {text}" for stage, text in look["problems"]]

    def _networks(
        self, board: Board, order: Order, report: dict[str, Any]
    ) -> list[dict[str, Any]]:
        out = []
        for ssid, done, dropped in board.run("networks", networks=order.networks):
            name = networks.shown(bytes.fromhex(ssid))
            out.append({"ssid": name, "changed": done})
            if done:
                report["changed"].append(f"wifi {name}")
            if dropped:
                gone = networks.shown(bytes.fromhex(dropped))
                report["notes"].append(f"wifi: {gone} had to go, a board keeps ten networks")
        return out


class _Absent(BoardError):
    """The library lacks something; components: what would bring it."""

    def __init__(self, text: str, components: list[str]) -> None:
        super().__init__("library", text)
        self.components = components


def _on_this_machine(look: dict[str, Any]) -> bool:
    # the simulated board, with its profile or without one: no MicroPython of a board is "linux"
    return look["name"] == _SIMULATED or (look["name"] is None and look["platform"] == "linux")


def _check(look: dict[str, Any]) -> None:
    # what provisioning cannot mend, before anything is changed
    for stage, text in look["problems"]:
        if not look["usable"] or _NEWER in text or stage == "id":
            raise BoardError(stage, text)
    if not _ID.fullmatch(str(look["device_id"])):
        raise BoardError("id", f"device_id {look['device_id']} in config.json: 24 hex digits")
    look["device_id"] = look["device_id"].lower()
    look["problems"] = [p for p in look["problems"] if not p[1].startswith("config.json")]


def failed(port: str, error: UserError, stage: str = "cloud") -> dict[str, Any]:
    """Return the report of a board that did not get ready; stage: of what has none of its own."""
    if isinstance(error, BoardError):
        return {"port": port, "ok": False, "stage": error.stage, "error": error.text}
    return {"port": port, "ok": False, "stage": stage, "error": str(error)}
