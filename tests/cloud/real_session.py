"""The recorded session of a real device (tests/vectors/deviceos-session-udp.jsonl), in parts."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

_FILE = Path(__file__).parents[1] / "vectors" / "deviceos-session-udp.jsonl"


@functools.cache
def lines():
    """Return the parsed lines; the first holds keys and the comment that explains the rest."""
    return [json.loads(line) for line in _FILE.read_text().splitlines()]


@functools.cache
def facts():
    """Return the first line with its hex fields as bytes."""
    return {
        name: bytes.fromhex(value) if _is_hex(value) else value
        for name, value in lines()[0].items()
    }


def _is_hex(value):
    try:
        return bool(bytes.fromhex(value))
    except (TypeError, ValueError):
        return False


def private_key(who):
    """Return the key of "device" or "server"."""
    return load_pem_private_key(lines()[0][f"{who}_private_key_sec1_pem"].encode(), None)


def handshake(name, nth=0):
    """Return the raw record of the nth handshake message of this name."""
    found = [bytes.fromhex(line["raw"]) for line in lines() if line.get("hs") == name]
    return found[nth]


def steps():
    """Return (heading, application records) pairs."""
    found = []
    for line in lines()[1:]:
        if "step" in line:
            found.append((line["step"], []))
        elif "coap" in line:
            found[-1][1].append(line)
    return found
