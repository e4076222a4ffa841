"""Who a board is to be: its keys and configuration, made on the host before it has ever run.

The cloud is asked first, so that what cannot work is found out before anything is written; it is
told last, when the board has what belongs to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from particle_tools import ROOT, interpreter
from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError
from particle_tools.key_files import Folder, Key
from particle_tools.provisioning.registry import Registry, Server, algorithm_of, is_loopback

_INTERPRETER_S = 60
# The library itself writes what it will read: passwords stay in a file of this user's alone.
_NETWORKS = """\
from particle.store.container import Store
from particle.store.networks import Networks

known = Networks(Store({root!r}))
for wanted in reversed({networks!r}):
    known.add(wanted.pop("ssid"), wanted.pop("password", None), **wanted)
"""


@dataclass
class Identity:
    """What a board is to become in a cloud; registry: logged in.

    networks: keyword arguments of `Networks.add`.
    """

    registry: Registry
    transport: str
    server: str | None = None
    networks: list[dict[str, Any]] = field(default_factory=list)
    product: int | None = None
    product_version: int | None = None
    name: str | None = None
    dialled: Server | None = None

    def prepare(self, board: Board) -> None:
        """Ask the cloud whom the board dials. Raises UserError when that cannot work."""
        place = board.profile["STORE"]
        if place != "littlefs" or "STORE_KEY" in board.profile:
            raise UserError(
                f"{board.title} keeps its keys in {place}, encrypted or not a file: leave --cloud"
                " out, and run `particle-mp provision` when it is flashed"
            )
        server = self.registry.server(self.transport, self.server)
        if is_loopback(server.host):
            raise UserError(
                f"{server.host} is this machine only, which a board cannot dial:"
                " start the cloud with --lan, or give --server ADDRESS"
            )
        # what the cloud may refuse, before anything is written
        path = "/v1/user" if self.product is None else f"/v1/products/{self.product}"
        self.registry.get(path)
        self.dialled = server

    def files(self, board: Board, device_id: str) -> dict[str, bytes]:
        """Return what the board keeps below its root: absolute name -> bytes. Raises UserError."""
        server = self.dialled
        assert server is not None
        root = board.profile["STORE_ROOT"]
        algorithm = algorithm_of(self.transport)
        values: dict[str, Any] = {"v": 1, "device_id": device_id, "transport": self.transport}
        values |= {"server": server.host, "port": server.port}
        if self.product is not None:
            values["product_id"] = self.product
        if self.product_version is not None:
            values["product_version"] = self.product_version
        with tempfile.TemporaryDirectory() as folder:
            stored = Folder(Path(folder))
            stored.make(algorithm, lambda _: None)
            stored.write(f"server.{algorithm}.der", server.key)
            stored.write("config.json", json.dumps(values).encode())
            if self.networks:
                _store_networks(Path(folder), self.networks)
            return {
                f"{root}/{path.relative_to(folder).as_posix()}": path.read_bytes()
                for path in Path(folder).rglob("*")
                if path.is_file()
            }

    def register(self, device_id: str, files: dict[str, bytes]) -> dict[str, Any]:
        """Make the board a device of the user; return what a report says of it."""
        name = f"device.{algorithm_of(self.transport)}.der"
        key = Key.read(next(data for path, data in files.items() if path.endswith(f"/{name}")))
        self.registry.register(device_id, self.transport, key.spki)
        if self.product is not None:
            self.registry.into_product(device_id, self.product)
        if self.name is not None:
            self.registry.name(device_id, self.name)
        server = self.dialled
        assert server is not None
        found: dict[str, Any] = {"device_id": device_id, "transport": self.transport}
        found |= {"server": server.host, "server_port": server.port}
        if self.registry.on_loopback():
            found["note"] = "the cloud listens on this machine only: start it with --lan"
        return found


def _store_networks(folder: Path, networks: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        script = Path(place, "networks.py")
        script.touch(0o600)
        script.write_text(_NETWORKS.format(root=str(folder), networks=networks))
        environment = {**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:.frozen"}
        done = subprocess.run(
            [*interpreter.find(), str(script)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=_INTERPRETER_S,
            check=False,
        )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise UserError(f"wifi: {lines[-1]}")
