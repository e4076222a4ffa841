"""The command configure-ap of softAP (setup-protocols 2.6): check and store a network.

Two keys are ours: `hid` (number, not 0: no scan shows the network) and `ip` (string: address,
mask, gateway and name server with a space between two, instead of DHCP).
"""

import binascii

import cryptolib
from micropython import const

from ..errors import Error
from .softap_json import members, unescaped

# results
_STORED = const(0)
_EAP_INVALID = const(1)
_NOT_STORED = const(2)
_SECURITY = const(-1)
_NOT_FOUND = const(-2)
_SSID = const(-3)
_LENGTH = const(-4)
_ADDRESS = const(-5)  # ours
_NOT_DECRYPTED = const(-16640)

# bits of `sec`
_WEP = const((1, 0x8001))
_WPA = const(0x200000)
_WPA2 = const(0x400000)
_ENTERPRISE = const(0x02000000)
_CIPHERS = const((0, 2, 1, 3))  # of Device OS, by bits 1 and 2

_TLS = const(13)
_PEAP = const(25)
_CBC = const(2)
_SECRET = const(32)  # bytes of `ek`: AES key, IV

_TEXTS = const(("ssid", "pwd", "oi", "ii", "crt", "ek", "key", "ca", "ip"))
_NUMBERS = const(("idx", "ch", "sec", "eap", "hid"))


def security_of(sec):
    """Return the security of Device OS for a number of softAP, None for one that is not known."""
    if sec == 0 or sec in _WEP:
        return 1 if sec else 0
    if sec < 0 or not sec & (_WPA | _WPA2):
        return None
    return (4 if sec & _ENTERPRISE else 2) + (0 if sec & _WPA else 1)


def configure(commands, body):
    """Store the network that `body` describes; yields b"" per slice, returns the result code.

    commands: the `softap_commands.Commands`. Raises ValueError when the body is malformed: then
    there is no answer.
    """
    given = members(body, _TEXTS, _NUMBERS)
    # a client may mean the text as it is, as the original takes it, instead of what JSON says
    text = given.get("ssid", b"")
    ssid = unescaped(text)
    if ssid != text:
        heard = [bytes(a.ssid) for a in commands.access_points()]
        ssid = text if text in heard and ssid not in heard else ssid
    if not 0 < len(ssid) <= 32:
        return _SSID
    sec = given.get("sec", 0)
    security = security_of(sec)
    if security is None:
        return _SECURITY
    options = {"security": security}
    if given.get("ip"):
        options["static"] = _addresses(given["ip"])
        if options["static"] is None:
            return _ADDRESS
    password = given.get("pwd", b"")
    try:
        if security and len(password) > 1:
            password = yield from commands.key.decrypt(password)
        if security > 3:
            more = yield from _enterprise(commands.key, given, password)
            if more is None:
                return _EAP_INVALID
            options.update(more)
    except ValueError:
        return _NOT_DECRYPTED
    if 2 <= security <= 3:
        if not 8 <= len(password) <= 64:
            return _LENGTH
        if given.get("hid"):
            options["cipher"] = _CIPHERS[sec >> 1 & 3]
        elif not _heard(commands, ssid, options):
            return _NOT_FOUND
    if given.get("hid"):
        options["hidden"] = True
    if security == 0 or given.get("eap") == _TLS:
        password = None
    try:
        commands.ports["wifi"].set_credentials(ssid, password, **options)
    except ValueError as e:
        print("setup: not stored:", e)
        return _EAP_INVALID if "eap" in options else _LENGTH
    except Error as e:
        print("setup: not stored:", e)
        return _NOT_STORED
    commands.tried.pop(ssid, None)  # what refused it refused something else
    return _STORED


def _addresses(text):
    # -> the four of them, None if they are none
    parts = [part.split(b".") for part in text.split(b" ")]
    for part in parts:
        if len(part) != 4 or not all(n.isdigit() and len(n) < 4 and int(n) < 256 for n in part):
            return None
    return tuple(str(text, "ascii").split(" ")) if len(parts) == 4 else None


def _heard(commands, ssid, options):
    # what the access point says counts, not what the client says
    for a in commands.access_points():
        if bytes(a.ssid) == ssid and 1 < a.security < 7 and a.security not in (4, 5):
            options.update({"security": a.security, "cipher": a.cipher, "channel": a.channel})
            return True
    return False


def _enterprise(key, given, password):
    # -> options of an enterprise network, None if something is missing
    more = {}
    if given.get("oi"):
        more["outer_identity"] = unescaped(given["oi"])
    if given.get("ca"):
        more["ca_cert"] = unescaped(given["ca"])
    kind = given.get("eap")
    if kind == _PEAP:
        more["eap"] = "peap"
        more["identity"] = unescaped(given.get("ii", b""))
        return more if more["identity"] and password else None
    if kind != _TLS or not (given.get("crt") and given.get("ek") and given.get("key")):
        return None
    more["eap"] = "tls"
    more["client_cert"] = unescaped(given["crt"])
    if given.get("ii"):
        more["identity"] = unescaped(given["ii"])
    secret = yield from key.decrypt(given["ek"])
    more["private_key"] = _private_key(key, secret, given["key"])
    return more


def _private_key(key, secret, digits):
    # whatever is wrong with it is told in one way, and counted: padding tells nobody a plaintext
    try:
        data = binascii.unhexlify(digits)
        if len(secret) != _SECRET or not data or len(data) % 16:
            raise ValueError
        plain = cryptolib.aes(secret[:16], _CBC, secret[16:]).decrypt(data)
        n = plain[-1]
        if not 0 < n <= 16 or plain[-n:] != bytes((n,)) * n or plain[:1] not in (b"-", b"0"):
            raise ValueError
    except ValueError:
        key.failed()
        raise
    return plain[:-n]
