"""What `particle-mp setup softap` does, one step after the other."""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from particle_tools.errors import UserError
from particle_tools.provisioning.networks import shown
from particle_tools.softap.client import Device, Secrets

_POLL = 0.5  # s
_JOIN = 60.0  # s in which a board has tried a network
_CODE = 63

# numbers of softAP by security of Device OS (setup-protocols 2.6)
_SECURITY = (0, 1, 0x200006, 0x400006, 0x02200006, 0x02400006, 0x400006)
_EAP = {"tls": 13, "peap": 25}
_PROBLEMS = {
    1: "its identity, certificates or key are incomplete",
    2: "the board could not store it",
    -1: "the board does not know its security",
    -2: "the board does not hear it: too far away, on 5 GHz, or hidden"
    ' (then --wifi-file with "hidden": true)',
    -3: "the name of a network has 1 to 32 bytes",
    -4: "the password is too short or too long",
    -5: "the address is none",
    -16640: "the board could not decrypt it",
    None: "no answer: a Photon knows neither hidden networks nor addresses",
}


@dataclass
class Order:
    """What is wanted. networks: see provisioning.networks; the first is joined."""

    networks: list[dict[str, Any]] = field(default_factory=list)
    claim_code: str | None = None
    connect: bool = True


class Setup:
    """Sets one board up; show(text) is told what goes on.

    pages: the board's HTTP server, for the result of joining; None = not asked.
    """

    def __init__(self, device: Device, pages: Device | None, show: Callable[[str], None]):
        self._device = device
        self._pages = pages
        self._show = show

    def scan(self) -> list[dict[str, Any]]:
        """Return what the board hears, the strongest first: ssid, rssi, sec, ch."""
        self._show("looking around")
        found = self._device.ask("scan-ap").get("scans", [])
        if not isinstance(found, list) or not all(_is_heard(entry) for entry in found):
            raise UserError("scan-ap: the board's answer is no list of networks")
        return sorted(found, key=lambda entry: -entry["rssi"])

    def run(self, order: Order) -> dict[str, Any]:
        """Do it all; return what was done. Raises UserError that says which step failed."""
        self._show("asking who it is")
        who = self._device.ask("device-id")
        if not isinstance(who.get("id"), str):
            raise UserError("device-id: the board does not say who it is")
        report: dict[str, Any] = {"device_id": who["id"].lower(), "claimed": who.get("c") == "1"}
        if order.claim_code:
            self._claim(order.claim_code)
            report["claim_code"] = "stored"
        # the last new one that is stored comes first; one that the board knows, when it was joined
        report["networks"] = [shown(n["ssid"]) for n in order.networks]
        secrets = self._secrets(order.networks)
        heard = {} if not order.networks else {e["ssid"]: e["sec"] for e in self.scan()}
        for network in reversed(order.networks):
            self._configure(network, secrets, heard)
        if order.networks and order.connect:
            report["joined"] = self._join(order.networks[0]["ssid"])
        if order.connect:
            self._leave()
        return report

    def _claim(self, code: str) -> None:
        if len(os.fsencode(code)) != _CODE:
            raise UserError(f"claim code: {_CODE} characters, not {len(code)}")
        if self._device.ask("set", {"k": "cc", "v": code}).get("r") != 0:
            raise UserError("set: the board does not take the claim code")

    def _secrets(self, networks: list[dict[str, Any]]) -> Secrets | None:
        if not any(n.get("password") or n.get("private_key") for n in networks):
            return None
        self._show("asking for its key")
        digits = self._device.ask("public-key").get("b", "")
        try:
            return Secrets(bytes.fromhex(digits))
        except (TypeError, ValueError):
            raise UserError("public-key: the board's answer is no key") from None

    def _configure(
        self, network: dict[str, Any], secrets: Secrets | None, heard: dict[str, int]
    ) -> None:
        name = shown(network["ssid"])
        self._show(f"storing {name}")
        answer = self._device.ask("configure-ap", _body(network, secrets, heard))
        code = answer.get("r")
        if code != 0:
            known = code is None or isinstance(code, int)
            problem = _PROBLEMS.get(code) if known else None
            raise UserError(f"configure-ap: {name}: {problem or f'refused ({code!r})'}")

    def _join(self, ssid: bytes) -> dict[str, Any] | None:
        # the board tries it while it still talks to us, if it has the page for people
        if self._pages is None:
            return None
        name = shown(ssid)
        self._show(f"{name}: waiting for the board to join")
        state = self._pages.page("/portal/join?ssid=" + urllib.parse.quote(ssid))
        end = time.monotonic() + _JOIN
        while state is not None and state.get("state") == "joining":
            if time.monotonic() > end:
                raise UserError(f"{name}: the board neither joined nor gave up")
            time.sleep(_POLL)
            # it may be away for a moment: its access point follows the network's channel
            state = self._pages.page("/portal/state") or state
        if state is None or state.get("state") not in ("joined", "failed"):
            return None
        if state["state"] == "failed":
            raise UserError(f"not joined: {state.get('text') or state.get('why')}")
        return {"ssid": name, "ip": state.get("ip")}

    def _leave(self) -> None:
        self._show("leaving setup")
        try:
            self._device.ask("connect-ap", {"idx": 0})
        except UserError:
            pass  # the access point may be gone before its answer (setup-protocols 2.7)


def _is_heard(entry: Any) -> bool:
    # whether this is one network, as scan-ap tells it
    if not isinstance(entry, dict):
        return False
    if type(entry.get("rssi")) is not int or type(entry.get("sec")) is not int:
        return False
    try:
        entry["ssid"].encode("utf-8", "surrogateescape")
    except (AttributeError, KeyError, ValueError):
        return False
    return True


def _body(
    network: dict[str, Any], secrets: Secrets | None, heard: dict[str, int]
) -> dict[str, Any]:
    # -> the keys of configure-ap
    ssid = network["ssid"].decode("utf-8", "surrogateescape")
    password = network.get("password")
    eap = network.get("eap") or ("tls" if "private_key" in network else None)
    eap = eap or ("peap" if "identity" in network else None)
    security = network.get("security")
    if security is not None:
        sec = _SECURITY[security]
    else:
        sec = _SECURITY[5] if eap else heard.get(ssid, _SECURITY[3] if password else 0)
    out: dict[str, Any] = {"idx": 0, "ssid": ssid, "sec": sec, "ch": network.get("channel")}
    if password and secrets:
        out["pwd"] = secrets.password(password)
    if network.get("hidden"):
        out["hid"] = 1
    if network.get("static"):
        out["ip"] = " ".join(network["static"])
    if eap:
        if eap not in _EAP:
            raise UserError(f'{shown(network["ssid"])}: eap is "tls" or "peap"')
        out["eap"] = _EAP[eap]
        for key, name in (("identity", "ii"), ("outer_identity", "oi")):
            if network.get(key):
                out[name] = network[key].decode("utf-8", "surrogateescape")
        for key, name in (("client_cert", "crt"), ("ca_cert", "ca")):
            if network.get(key):
                out[name] = network[key].decode("utf-8", "surrogateescape")
        if eap == "tls" and secrets and network.get("private_key"):
            out |= secrets.private_key(network["private_key"], os.urandom(32))
    return out
