"""Why a device does not connect: every stage from the cloud's address to the last refusal.

Nothing is changed; the cloud counts the probe of its TCP port as a refusal of the stage `link`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from particle_tools import board_report
from particle_tools.board_report import ALGORITHMS, Board, Check
from particle_tools.errors import UserError
from particle_tools.local import Api

_PROBE_S = 3.0
_CLOCK_S = 60.0  # of difference that is not worth a word
_REFUSALS = 3
_STRANGER_S = 600.0  # what an unknown device met earlier was hardly this one's


@dataclass
class Doctor:
    """Runs the checks in order; what depends on a failed one is left out."""

    url: str
    user: str | None = None
    token: str | None = None
    folder: Path | None = None
    device: str | None = None
    port: str | None = None
    write: bool = False
    checks: list[Check] = field(default_factory=list)

    def run(self) -> list[Check]:
        """Return one Check after the other. Raises UserError if the question is wrong."""
        self._api = Api(self.url)
        self._now = time.time()  # of the cloud, if it tells
        board = self._board()
        if self.port is not None and board is None:
            return self.checks  # a board that cannot dial anybody
        info = self._cloud()
        if info is not None:
            self._clock(info)
            for transport in ("udp", "tcp"):
                if board is None or board.transport == transport:
                    self._port(transport, info, board)
            if board is not None:
                self._server_key(board)
            if self._logged_in():
                self._device(board)
        return self.checks

    def _add(self, stage: str, ok: bool | None, text: str, remedy: str = "") -> bool | None:
        self.checks.append(Check(stage, ok, text, "" if ok else remedy))
        return ok

    def _cloud(self) -> dict[str, Any] | None:
        try:
            info = self._api.info()
        except UserError as error:
            self._add("cloud", False, str(error), "Start it: particle-mp cloud --data DIR")
            return None
        self._add("cloud", True, f"{self.url} is a local cloud, version {info.get('version')}")
        return info

    def _clock(self, info: dict[str, Any]) -> None:
        try:
            there = self._now = _unix(info["time"])
        except (KeyError, ValueError, AttributeError):
            self._add("clock", None, "the cloud does not tell its time")
            return
        ahead = there - time.time()
        if abs(ahead) < _CLOCK_S:
            self._add("clock", True, "the cloud has the time of this machine")
        else:
            # No failure: connections need no clock (DESIGN decision 4).
            word = "ahead of" if ahead > 0 else "behind"
            self._add("clock", None, f"the cloud is {abs(ahead):.0f} s {word} this machine")

    def _port(self, transport: str, info: dict[str, Any], board: Board | None) -> None:
        offered = info.get(f"{transport}_port")
        if offered is None:
            self._add("port", None, f"the cloud does not serve {transport.upper()}")
            return
        host, port = str(info.get("host")), int(offered)
        if board is not None:
            host, port = board.server, board.port
            if port != offered:
                self._add(
                    "port",
                    False,
                    f"the board dials {transport.upper()} port {port}, the cloud listens on"
                    f" {offered}",
                    f"Start the board with --server {info.get('host')}:{offered}, or the cloud"
                    f" with --{transport}-port {port}",
                )
                return
        try:
            found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            remedy = f"Use an address: --server {info.get('host')}:{offered}"
            self._add("DNS", False, f"{host} has no address: {error}", remedy)
            return
        probe = probe_udp if transport == "udp" else probe_tcp
        problem = probe(found[0][4][0], port)
        where = f"{host} {transport.upper()} port {port}"
        if problem is None:
            self._add("port", True, f"{where} answers as a device port")
        else:
            remedy = "Is another program on that port, or a firewall between?"
            self._add("port", False, f"{where}: {problem}", remedy)

    def _server_key(self, board: Board) -> None:
        algorithm = ALGORITHMS[board.transport]
        theirs = self._api.server_key(algorithm)
        name = f"server.{algorithm}.der"
        fetch = f"GET {self.url}/local/v1/server-key?alg={algorithm}&format=der"
        remedy = f"Store this cloud's key as pt/{name} on the board: {fetch}"
        if board.server_key is None:
            self._add("server key", False, f"the board has no {name}", remedy)
        elif board.server_key != theirs:
            self._add("server key", False, "the board has the key of another cloud", remedy)
        else:
            self._add("server key", True, "the board has this cloud's key")

    def _logged_in(self) -> bool:
        if self.user is None and self.token is None:
            self._add("token", None, "not checked: give --user NAME:PASSWORD or --token TOKEN")
            return False
        try:
            if self.token is not None:
                self._api.use(self.token)
            else:
                self._api.login(self.user or "")
            name = self._api.get("/v1/user")["username"]
        except UserError as error:
            remedy = "Check name and password; `particle-mp cloud --user NAME:PASSWORD` sets it"
            self._add("token", False, str(error), remedy)
            return False
        return bool(self._add("token", True, f"{name} is logged in"))

    def _device(self, board: Board | None) -> None:
        wanted = board.device_id if board is not None else self.device
        devices = {device["id"]: device for device in self._api.get("/v1/devices")}
        if wanted is None:
            offline = [d["name"] or i for i, d in devices.items() if not d["online"]]
            text = f"{len(devices) - len(offline)} of {len(devices)} devices are online"
            self._add("id", True, text + (f"; offline: {', '.join(offline)}" if offline else ""))
            online = {i for i, d in devices.items() if d["online"]}
            self._refusals([r for r in self._everyones() if r["device_id"] not in online], False)
            return
        by_name = {(d["name"] or "").lower(): i for i, d in devices.items()}
        wanted = by_name.get(wanted.lower(), wanted.lower())
        if wanted not in devices:
            self._add(
                "id",
                False,
                f"{wanted} is not among the devices of this user",
                "Claim it (POST /v1/devices), or register its key: POST /v1/provisioning/ID, or"
                " `particle keys send ID FILE`",
            )
            everyones = self._everyones()
            mine = [r for r in everyones if r["device_id"] == wanted]
            self._refusals(mine or self._unknown(everyones, board), bool(mine))
            return
        self._add("id", True, f"{wanted} is {devices[wanted]['name'] or 'a device'} of this user")
        found = self._api.get(f"/local/v1/devices/{wanted}/diagnosis")
        if board is not None:
            self._device_key(board, found["keys"])
        elif not any(found["keys"].values()):
            self._add("device key", False, "no key is registered", _SEND_KEY)
        self._session(found, board)

    def _device_key(self, board: Board, registered: dict[str, str | None]) -> None:
        algorithm = ALGORITHMS[board.transport]
        known = registered[algorithm]
        if board.public_key is None:
            text = f"the board has no readable device.{algorithm}.der"
            self._add("device key", False, text, "Make a new board, or store its key again")
        elif known is None:
            text = f"no {algorithm.upper()} key is registered, which {board.transport} needs"
            self._add("device key", False, text, _SEND_KEY)
        elif known != hashlib.sha256(board.public_key).hexdigest():
            self._add("device key", False, "the cloud knows another key of this device", _SEND_KEY)
        else:
            self._add("device key", True, "the cloud knows the board's key")

    def _session(self, found: dict[str, Any], board: Board | None) -> None:
        if found["online"]:
            self._add("session", True, f"online over {found['transport']}")
            return
        ended = found["last_end"]
        text = (
            f"the last session ended: {ended['reason']}" if ended else "there was no session yet"
        )
        self._add("session", None, f"offline; {text}")
        # What was refused before the last session is over.
        since = ended["at"] if ended else ""
        refusals = [r for r in found["refusals"] if r["at"] > since]
        # Before a key is accepted nobody knows which device it is.
        self._refusals(refusals or self._unknown(self._everyones(), board), bool(refusals))

    def _everyones(self) -> list[dict[str, Any]]:
        # Whoever only connects is no device: a probe, a browser.
        found = self._api.get("/local/v1/refusals")
        return [r for r in found if r["device_id"] is not None or r["stage"] != "link"]

    def _unknown(
        self, refusals: list[dict[str, Any]], board: Board | None
    ) -> list[dict[str, Any]]:
        """Return those that may have been the board, or any device if there is none."""
        return [
            r
            for r in refusals
            if r["device_id"] is None
            and (board is None or r["transport"] == board.transport)
            and self._now - _unix(r["at"]) < _STRANGER_S
        ]

    def _refusals(self, refusals: list[dict[str, Any]], certain: bool) -> None:
        for r in refusals[:_REFUSALS]:
            who = r["device_id"] or "an unknown device"
            text = (
                f"{r['at']} {who} from {r['address']} over {r['transport']} was refused"
                f" ({r['count']} times): {r['reason']}"
            )
            self._add(r["stage"], False if certain else None, text, r["remedy"])

    def _board(self) -> Board | None:
        if self.port is not None:
            checks, board = board_report.of_port(self.port, self.write)
        elif self.folder is not None:
            checks, board = board_report.of_folder(self.folder)
        else:
            return None
        self.checks += checks
        if board is not None:
            self._add(
                "board",
                True,
                f"{board.device_id} dials {board.server} over {board.transport.upper()}",
            )
        return board


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


_SEND_KEY = (
    "Register the device's public key: POST /v1/provisioning/ID, or `particle keys send ID FILE`"
)


def probe_tcp(address: str, port: int) -> str | None:
    """Return what is wrong with a TCP device port, None if nothing: it sends 40 bytes first."""
    try:
        with socket.create_connection((address, port), _PROBE_S) as sock:
            sock.settimeout(_PROBE_S)
            first = sock.recv(40)
    except OSError as error:
        return f"no connection ({error.strerror or error})"
    return None if first else "it closes without the greeting of a device port"


def probe_udp(address: str, port: int) -> str | None:
    """Return what is wrong with a UDP device port, None if it answers a hello with a cookie.

    The cloud keeps nothing about a hello without a cookie.
    """
    body = b"\xfe\xfd" + os.urandom(32) + b"\x00\x00" + b"\x00\x02\xc0\xae" + b"\x01\x00"
    header = b"\x01" + len(body).to_bytes(3, "big") + bytes(5) + len(body).to_bytes(3, "big")
    message = header + body
    record = b"\x16\xfe\xfd" + bytes(8) + len(message).to_bytes(2, "big") + message
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_PROBE_S / 3)
        try:
            sock.connect((address, port))
            for _ in range(3):
                sock.send(record)
                try:
                    answer = sock.recv(2048)
                except TimeoutError:
                    continue
                ours = answer[:1] == b"\x16" and answer[13:14] == b"\x03"
                return None if ours else "it answers, but not like a device port"
        except OSError as error:
            return f"nobody listens ({error.strerror or error})"
    return "no answer"


def to_json(checks: list[Check]) -> dict[str, Any]:
    """Return the report as one object."""
    return {
        "ok": not any(check.ok is False for check in checks),
        "checks": [asdict(check) for check in checks],
    }
