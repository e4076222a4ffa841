"""The enterprise network that a board knows (device-api 6, setup-protocols 7.1), of which there
is one. Its certificates are in a file of their own, `wifi.eap0` or `wifi.eap1`: the new one is
written beside the old one, and the record of the networks says which of them counts.
"""

import struct

from micropython import const

from ..errors import Error
from .container import pack, unpack
from .networks import field, octets, value

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_KIND = const(2)  # of the container
_SSID = const(1)  # tags, networks.py
_EAP = const(6)
_IDENTITY = const(7)
_OUTER = const(8)
_NONE = const(255)
_TYPES = {"tls": 13, "peap": 25}
_WPA2_ENTERPRISE = const(5)

# name, most bytes (setup-protocols 7.1); in this order in the file, each with its length u16le
_FILES = const((("ca_cert", 4096), ("client_cert", 4096), ("private_key", 2048)))


def stored(store, entries, ssid, security, password, eap):
    """Check an enterprise network and write its certificates.

    Return (security, fields for its entry, the other entries without another enterprise network).
    eap: "eap" ("tls" or "peap"), "identity", "outer_identity", "ca_cert", "client_cert",
    "private_key" (PEM or DER). Raises ValueError, which never shows a value.
    """
    kind = eap.pop("eap", "tls" if "private_key" in eap else "peap")
    if kind not in _TYPES:
        raise ValueError('eap: "tls" or "peap"')
    identity = eap.pop("identity", None)
    outer = eap.pop("outer_identity", None) or "anonymous"
    files = [octets(name, eap.pop(name, None) or b"", 0, most) for name, most in _FILES]
    if eap:
        raise ValueError("unknown: " + ", ".join(sorted(eap)))
    if security not in (None, 4, 5):
        raise ValueError("security: 4 or 5 for an enterprise network")
    if kind == "tls" and not (files[1] and files[2]):
        raise ValueError("EAP-TLS: client_cert and private_key")
    if kind == "peap" and not (identity and password):
        raise ValueError("PEAP: identity and password")
    identity = octets("identity", identity, 1, 64) if identity else None
    outer = octets("outer_identity", outer, 1, 64)
    number = _NONE
    if any(files):
        used = [value(e, _EAP, b"\0\xff")[1] for e in entries]
        number = 1 if 0 in used else 0
        body = b"".join([struct.pack("<H", len(f)) + f for f in files])
        store.write("wifi.eap%d" % number, pack(_KIND, body))
    more = field(_EAP, bytes((_TYPES[kind], number)))
    more += field(_IDENTITY, identity) + field(_OUTER, outer)
    others = [e for e in entries if not value(e, _EAP) or value(e, _SSID) == ssid]
    return security or _WPA2_ENTERPRISE, more, others


def certificates(store, network):
    """Return {"ca_cert", "client_cert", "private_key"} of a `Network`, b"" for what it has not.

    Raises `Error(BAD_DATA)`.
    """
    number = value(network._entry, _EAP, b"\0\xff")[1]
    body = bytes(6)
    if number != _NONE:
        body = unpack(_KIND, store.read("wifi.eap%d" % number) or b"")
    out = {}
    at = 0
    for name, _ in _FILES:
        n = int.from_bytes(body[at : at + 2], "little")
        out[name] = body[at + 2 : at + 2 + n]
        at += 2 + n
    if at != len(body):
        raise Error(_BAD_DATA, "wifi.eap%d is damaged: set the network again" % number, "store")
    return out
