"""What a board needs to get in besides Wi-Fi: the SIM's access point (kind 3 of the store: three
texts, each with its length u8 in front) and the claim code (kind 4: nothing else), which
runtime/system shows to the cloud until "1" says that it was taken (setup-protocols 1 and 7.2).
"""

from micropython import const

from ..errors import Error
from .networks import octets

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_CELL = const(3)  # kinds of container
_CLAIM = const(4)
_CODE = const(63)  # bytes of a claim code


def _texts(store):
    data = store.get(_CELL)
    if data is None:
        return None
    out = []
    at = 0
    while at < len(data):
        n = data[at]
        out.append(data[at + 1 : at + 1 + n])
        at += 1 + n
    if at != len(data) or len(out) != 3:
        raise Error(_BAD_DATA, "cell is damaged: set the access point again", "store")
    return out


def access_point(store):
    """Return the name of the SIM's access point as text, None for the SIM's default."""
    texts = _texts(store)
    return texts and texts[0].decode()


def access_point_login(store):
    """Return its (user, password) as bytes."""
    texts = _texts(store)
    return tuple(texts[1:]) if texts else (b"", b"")


def set_access_point(store, apn, user="", password=""):
    """Store the access point in one write, None = the SIM's default; raise ValueError."""
    if apn is None:
        store.erase(_CELL)
        return
    texts = [octets("apn", apn, 1, 100), octets("user", user, 0, 64)]
    texts.append(octets("password", password, 0, 64))
    store.put(_CELL, b"".join([bytes((len(text),)) + text for text in texts]))


def claim_code(store):
    """Return the 63 characters to be shown to the cloud, None when there are none (any more)."""
    code = store.get(_CLAIM)
    return code.decode() if code and len(code) == _CODE else None


def set_claim_code(store, code):
    """Store a claim code in one write, None = none; raise ValueError if it has not 63 bytes."""
    if code is None:
        store.erase(_CLAIM)
    else:
        store.put(_CLAIM, octets("claim code", code, _CODE, _CODE))
