"""Wi-Fi networks as they are given to `provision`; no message shows a password."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

from particle_tools.errors import UserError

_MOST = 10  # that a board keeps
_SECURITY = ("open", "wep", "wpa", "wpa2", "wpa-enterprise", "wpa2-enterprise", "wpa3")
_FILES = ("ca_cert", "client_cert", "private_key")
_PLAIN = ("cipher", "hidden", "channel", "static", "eap")
_TEXTS = ("identity", "outer_identity", "password")
_KEYS = {"ssid", "ssid_hex", "security", *_PLAIN, *_TEXTS, *_FILES}


def from_argument(text: str) -> dict[str, Any]:
    """Take SSID:PASSWORD, SSID: of an open network, or SSID, whose password is asked for."""
    ssid, colon, password = os.fsencode(text).partition(b":")
    _check(ssid, password, "--wifi")
    if not colon:
        password = _ask(ssid)
    return {"ssid": ssid, "password": password or None}


def network(ssid: str, password: str) -> dict[str, Any]:
    """Take two texts, as of a table; without password an open network."""
    name, key = ssid.encode(), password.encode()
    _check(name, key, "ssid")
    return {"ssid": name, "password": key or None}


def _ask(ssid: bytes) -> bytes:
    name = ssid.decode(errors="backslashreplace")
    if not sys.stdin.isatty():
        raise UserError(f"--wifi {name}: no password: SSID:PASSWORD, or --wifi-file FILE")
    try:
        password = os.fsencode(getpass.getpass(f"Password of {name} (empty: open): "))
    except EOFError:
        raise UserError(f"--wifi {name}: no password") from None
    _check(ssid, password, "--wifi")
    return password


def from_file(path: Path) -> list[dict[str, Any]]:
    """Read a JSON list of networks: keywords of device-api 6; the first is preferred.

    `ssid` is text; `ssid_hex` is for names that are none. ca_cert, client_cert and private_key
    name files beside this one. Raises UserError.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"--wifi-file {path}: {error.strerror}") from None
    except (RecursionError, ValueError):
        raise UserError(f"--wifi-file {path}: it is no JSON") from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise UserError(f"--wifi-file {path}: a list of objects is expected")
    if len(found) > _MOST:
        raise UserError(f"--wifi-file {path}: {len(found)} networks, a board keeps {_MOST}")
    return [_entry(f"--wifi-file {path}: network {i}", path, e) for i, e in enumerate(found, 1)]


def _entry(where: str, path: Path, entry: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]}: it has {', '.join(sorted(_KEYS))}")
    out: dict[str, Any] = {key: entry[key] for key in _PLAIN if entry.get(key) is not None}
    try:
        if "ssid_hex" in entry:
            out["ssid"] = bytes.fromhex(entry["ssid_hex"])
        else:
            out["ssid"] = entry["ssid"].encode()
        for key in _TEXTS:
            if entry.get(key) is not None:
                out[key] = entry[key].encode()
        for key in _FILES:
            if entry.get(key) is not None:
                out[key] = (path.parent / entry[key]).read_bytes()
    except OSError as error:
        raise UserError(f"{where}: {key}: {error.strerror}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{where}: ssid, password and the like are texts") from None
    if entry.get("security") is not None:
        out["security"] = _security(where, entry["security"])
    for key in ("cipher", "channel"):
        if not isinstance(out.get(key, 0), int) or isinstance(out.get(key), bool):
            raise UserError(f"{where}: {key} is a number")
    if not isinstance(out.get("hidden", False), int):
        raise UserError(f"{where}: hidden is true or false")
    if not isinstance(out.get("eap", ""), str):
        raise UserError(f'{where}: eap is "tls" or "peap"')
    if "static" in out and not _is_static(out["static"]):
        raise UserError(f"{where}: static is four texts: address, mask, gateway, name server")
    _check(out["ssid"], out.get("password", b""), where)
    return out


def _is_static(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    return all(isinstance(text, str) and text.isascii() for text in value)


def _security(where: str, value: Any) -> int:
    if value in _SECURITY:
        return _SECURITY.index(value)
    if isinstance(value, int) and 0 <= value < len(_SECURITY):
        return value
    raise UserError(f"{where}: security is one of {', '.join(_SECURITY)}")


def _check(ssid: bytes, password: bytes, where: str) -> None:
    if not 1 <= len(ssid) <= 32:
        raise UserError(f"{where}: the name of a network has 1 to 32 bytes, not {len(ssid)}")
    if len(password) > 64:
        raise UserError(f"{where}: a password has at most 64 bytes, not {len(password)}")


def shown(ssid: bytes) -> str:
    """Return the name of a network for people and JSON; what is no text as \\xNN."""
    return ssid.decode(errors="backslashreplace")
