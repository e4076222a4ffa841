"""The few REST calls that introduce a board to a cloud (rest-api 2, 3, 6, 15.3)."""

import http.client
import ipaddress
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from particle_tools.errors import UserError

_TIMEOUT = 30  # s; a cloud waits up to 20 s for a device


class Rest:
    """One cloud, one user. Every failure is a UserError of one line."""

    def __init__(self, url: str):
        try:
            parts = urllib.parse.urlsplit(url)
            host = parts.hostname or ""
            host.encode("idna")
            good = parts.scheme in ("http", "https") and host and parts.port != 0
        except ValueError:  # of brackets, the port, or a name that no host can have
            good = False
        if not good or not parts.path.isascii() or " " in url:
            raise UserError(f"--cloud {url}: expected a URL such as http://127.0.0.1:8080")
        self._url = url.rstrip("/")
        self._token: str | None = None
        # a proxy of the environment is for the world outside, not for this machine
        handlers = [urllib.request.ProxyHandler({})] if _is_local(host) else []
        self._opener = urllib.request.build_opener(*handlers)

    def login(self, user: str) -> None:
        """Fetch a token for "NAME:PASSWORD"."""
        name, colon, password = user.partition(":")
        if not colon:
            raise UserError(f"--user {user}: expected NAME:PASSWORD")
        form = {
            "grant_type": "password",
            "client_id": "particle",
            "client_secret": "particle",
            "username": name,
            "password": password,
        }
        status, body = self._call("POST", "/oauth/token", form=form)
        if status != 200:
            raise UserError(f"{self._url} refuses {name} and that password: {_reason(body)}")
        self._token = self._object(body).get("access_token")

    def provision(self, device_id: str, public_pem: str, algorithm: str) -> None:
        """Register the public key of a device; algorithm: "rsa" or "ecc"."""
        values = {
            "deviceID": device_id,
            "publicKey": public_pem,
            "algorithm": algorithm,
            "filename": "particle-mp",
        }
        status, body = self._call("POST", f"/v1/provisioning/{device_id}", values=values)
        self._expect(status, body, f"device {device_id}", "its key was not accepted")

    def claim(self, device_id: str) -> None:
        """Make the user the owner of the device."""
        values = {"id": device_id, "request_transfer": False}
        status, body = self._call("POST", "/v1/devices", values=values)
        self._expect(status, body, f"device {device_id}", "it could not be claimed")

    def info(self) -> dict[str, Any]:
        """Return host, tcp_port and udp_port that a device dials."""
        status, body = self._call("GET", "/local/v1/info")
        self._expect(status, body, self._url, "it is not a local cloud of particle-mp")
        return self._object(body)

    def server_key(self, alg: str) -> bytes | None:
        """Return the cloud's public key as DER; None when it has none of that kind."""
        status, body = self._call("GET", f"/local/v1/server-key?alg={alg}&format=der")
        if status in (400, 404, 501):
            return None
        self._expect(status, body, self._url, "its key cannot be read")
        return body

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            values = json.loads(body)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise UserError(f"{self._url} does not answer like a local cloud of particle-mp")
        return values

    def _expect(self, status: int, body: bytes, what: str, problem: str) -> None:
        if status == 403:
            raise UserError(f"{what} belongs to someone else: {_reason(body)}")
        if status == 401:
            raise UserError(f"{self._url} does not accept the token: {_reason(body)}")
        if not 200 <= status < 300:
            raise UserError(f"{what}: {problem} (HTTP {status}: {_reason(body)})")

    def _call(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, str] | None = None,
        values: dict[str, Any] | None = None,
        file: bytes | None = None,
    ) -> tuple[int, bytes]:
        headers = {"Accept": "*/*", "User-Agent": "particle-mp"}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form, errors="surrogateescape").encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif values is not None:
            data = json.dumps(values).encode()
            headers["Content-Type"] = "application/json"
        elif file is not None:
            mark = secrets.token_hex(16)
            part = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
            part += "Content-Type: application/octet-stream\r\n\r\n"
            data = part.encode() + file + f"\r\n--{mark}--\r\n".encode()
            headers["Content-Type"] = f"multipart/form-data; boundary={mark}"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            try:
                answer = self._opener.open(request, timeout=_TIMEOUT)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return answer.status, answer.read()
        except http.client.IncompleteRead:
            raise UserError(f"cloud {self._url}: its answer was cut off: repeat it") from None
        except http.client.HTTPException:
            raise UserError(
                f"--cloud {self._url} does not speak HTTP: is it the port of the devices?"
            ) from None
        except OSError as error:  # URLError, timeouts, resets
            reason = getattr(error, "reason", None) or error
            raise UserError(
                f"cloud {self._url} is not reachable ({reason}): is `particle-mp cloud` running?"
            ) from None


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(body: bytes) -> str:
    try:
        values = json.loads(body)
        text = values.get("error_description") or values.get("error") or values.get("errors")
        return str(text[0] if isinstance(text, list) and text else text or "no reason given")
    except (ValueError, AttributeError):
        return body[:80].decode(errors="replace") or "no reason given"
