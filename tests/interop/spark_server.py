"""A Particle-compatible cloud that nobody here wrote: @brewskey/spark-server on loopback.

What it needs to run on a current Node is in spark_preload.js and here; its
behaviour is described in cloud-protocol 1.3 to 1.5 and rest-api.
"""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from Crypto.PublicKey import RSA

import ports
from interop import node
from particle_tools.local import Api, wait_for
from particle_tools.sim import first_start, image
from particle_tools.sim.board_dir import BoardDir

_MODULE = "node_modules/@brewskey/spark-server/dist"
_PRELOAD = Path(__file__).with_name("spark_preload.js")
_CLIENT = "particle"  # OAuth client id and secret of `particle_tools.local.Api`
_USER = "ann@example.com:secret one"
_START_S = 60
_ONLINE_S = 40
_COUNTER = re.compile("Bad Counter|MessageId other than expected")


def _add_client(folder: Path) -> None:
    path = folder / _MODULE / "oauthClients.json"
    clients = json.loads(path.read_text())
    clients.append({"clientId": _CLIENT, "clientSecret": _CLIENT, "grants": ["password"]})
    path.write_text(json.dumps(clients))


PACKAGES = node.Packages("spark-server", _add_client)


class SparkServer:
    """The server with its data in `folder`; keeps its ports, keys and users over restarts.

    log: everything it has printed since the first start.
    """

    def __init__(self, packages: Path, folder: Path):
        self.folder = folder
        self.provoked: set[str] = set()  # devices of tests that want to be thrown out
        self._packages = packages
        self._key = RSA.generate(2048)
        data = folder / "data"
        data.mkdir(parents=True)
        # a key that the server makes itself is used with another padding until its next start
        (data / "default_key.pem").write_bytes(self._key.export_key("PEM", pkcs=1))
        (data / "default_key.pub.pem").write_bytes(self._key.public_key().export_key("PEM"))
        self._log = folder / "spark-server.log"
        self._first_start()
        self._make_user()

    def _first_start(self) -> None:
        self.device_port, self._http_port = ports.take(), ports.take()
        self.url = f"http://127.0.0.1:{self._http_port}"
        settings = {
            "SHOW_VERBOSE_DEVICE_LOGS": True,
            "LOG_LEVEL": "debug",
            "ALLOW_DEVICE_TO_PROVIDE_PEM": False,
            "EXPRESS_SERVER_CONFIG": {
                "PORT": self._http_port,
                "USE_SSL": False,
                "SSL_CERTIFICATE_FILEPATH": None,
                "SSL_PRIVATE_KEY_FILEPATH": None,
            },
            "TCP_DEVICE_SERVER_CONFIG": {
                "HOST": "127.0.0.1",
                "PORT": self.device_port,
                "ENABLE_SYSTEM_FIRWMARE_AUTOUPDATES": False,  # its spelling
            },
        }
        (self.folder / "settings.json").write_text(json.dumps(settings))
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves. Raises RuntimeError with its last words."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [node.program(), "-r", str(_PRELOAD), str(self._packages / _MODULE / "main.js")],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        if not wait_for(lambda: self._serves() or self._process.poll() is not None, _START_S):
            self.stop()
        if self._process.poll() is not None:
            raise RuntimeError(f"spark-server did not start: {self.log[-2000:]}")

    def _serves(self) -> bool:
        for port in (self.device_port, self._http_port):
            with socket.socket() as s:
                s.settimeout(1)
                if s.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    def stop(self) -> None:
        """End it at once: its devices see their connections end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; the kernel still takes its connections."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def running(self) -> bool:
        """Tell whether the process is there."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has printed since the first start."""
        return self._log.read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Return the lines of the log about wrong message IDs, without those of `provoked`."""
        lines = [line for line in self.log.splitlines() if _COUNTER.search(line)]
        return [line for line in lines if not any(d in line for d in self.provoked)]

    def connections(self, device_id: str) -> tuple[int, int]:
        """Return how many sessions of a device have begun and how many have ended."""
        begun = ended = 0
        for line in self.log.splitlines():
            if device_id in line:
                message = json.loads(line).get("msg")
                begun += message == "Connection"
                ended += message == "Device disconnected"
        return begun, ended

    def wait_online(self, device_id: str, online: bool = True) -> dict[str, Any]:
        """Wait until the device is connected or not, and return its device object."""
        api = self.api()
        found = wait_for(
            lambda: (d := api.device(device_id))["connected"] is online and d, _ONLINE_S
        )
        assert found, f"{device_id} is {'not ' if online else ''}connected"
        return found

    def _make_user(self) -> None:
        name, _, password = _USER.partition(":")
        Api(self.url).post("/v1/users", username=name, password=password)

    def api(self) -> Api:
        """Log in as an ordinary user and return the API."""
        api = Api(self.url)
        api.login(_USER)
        return api

    @property
    def public_key(self) -> bytes:
        """Its public key as DER."""
        return self._key.public_key().export_key("DER")

    def make_board(self, path: Path, registered: bool = True) -> BoardDir:
        """Return a new board that knows this server and is a device of its user.

        registered: False = the server has another key for it.
        """
        board = BoardDir(path)
        board.path.mkdir(parents=True)
        device_id = board.unique_id()
        keys = first_start.DeviceKeys()
        known = keys if registered else first_start.DeviceKeys()
        self.api().provision(device_id, known.public["rsa"], "rsa")
        server_keys = {"rsa": self.public_key}
        files = first_start.files(
            device_id, "tcp", "127.0.0.1", self.device_port, keys, server_keys
        )
        image.write(board.flash, files)
        return board
