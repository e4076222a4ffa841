"""What a board needs to get in besides Wi-Fi: the SIM's access point (kind 3 of the store) and
the claim code (kind 4; setup-protocols 1 and 7.2). Texts one behind the other, each with its
length in front.
"""

from micropython import const

from ..errors import Error
from .networks import octets

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_CELL = const(3)  # kinds of container
_CLAIM = const(4)
_CODE = const(63)  # bytes of a claim code
_CLAIMED = b"1"


def _texts(store, kind, count):
    data = store.get(kind)
    if data is None:
        return None
    out = []
    at = 0
    while at < len(data):
        n = data[at]
        out.append(data[at + 1 : at + 1 + n])
        at += 1 + n
    if at != len(data) or len(out) != count:
        raise Error(_BAD_DATA, "cell or claim is damaged: set it again", "store")
    return out


def _keep(store, kind, texts):
    store.put(kind, b"".join([bytes((len(text),)) + text for text in texts]))


def access_point(store):
    """Return the name of the SIM's access point as text, None for the SIM's default."""
    texts = _texts(store, _CELL, 3)
    return texts and texts[0].decode()


def access_point_login(store):
    """Return its (user, password) as bytes."""
    texts = _texts(store, _CELL, 3)
    return tuple(texts[1:]) if texts else (b"", b"")


def set_access_point(store, apn, user="", password=""):
    """Store the access point in one write, None = the SIM's default; raise ValueError."""
    if apn is None:
        store.erase(_CELL)
        return
    texts = [octets("apn", apn, 1, 100), octets("user", user, 0, 64)]
    _keep(store, _CELL, texts + [octets("password", password, 0, 64)])


def claim_code(store):
    """Return the 63 characters to be shown to the cloud, None when there are none (any more)."""
    texts = _texts(store, _CLAIM, 2)
    return (texts and texts[1].decode()) or None


def claimed(store):
    """Tell whether the cloud said that the device has an owner."""
    texts = _texts(store, _CLAIM, 2)
    return texts is not None and texts[0] == _CLAIMED


def set_claim_code(store, code):
    """Store a claim code in one write; raise ValueError unless it is 63 characters."""
    _keep(store, _CLAIM, [b"0", octets("claim code", code, _CODE, _CODE)])


def set_claimed(store):
    """Note that the device has an owner and forget the code; writes only when that is new."""
    if not claimed(store):
        _keep(store, _CLAIM, [_CLAIMED, b""])
