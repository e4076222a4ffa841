"""The configuration record pt/config.json: known keys, checks, defaults (DESIGN 5, store)."""

import binascii
import json

from .errors import BAD_DATA, INVALID_ARGUMENT, ConfigError

# key -> (type, smallest, largest); numbers by value, text by length
_KEYS = {
    "device_id": (str, 24, 24),
    "product_id": (int, 0, 0xFFFF),
    "product_version": (int, 0, 0xFFFF),
    "platform_id": (int, 0, 0xFFFF),
    "transport": (str, 3, 3),
    "server": (str, 1, 63),
    "port": (int, 1, 0xFFFF),
    "keep_alive": (int, 1, 86400),
    "auto_connect": (bool, 0, 1),
    "limits": (str, 3, 4),
    "wire_profile": (str, 7, 9),
    "connect_events": (bool, 0, 1),
}
_CHOICES = {
    "transport": ("udp", "tcp"),
    "limits": ("622", "864", "1024"),
    "wire_profile": ("compact", "device-os"),
}
_FILE = "config.json"


def check(key, value):
    """Return `value` as it is stored; raise `ConfigError` that names the key and what fits."""
    rule = _KEYS.get(key)
    if rule is None:
        raise ConfigError(INVALID_ARGUMENT, "unknown setting %r" % key)
    kind, low, high = rule
    ok = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    if ok:
        ok = low <= (len(value) if kind is str else value) <= high
    if ok and key in _CHOICES:
        ok = value in _CHOICES[key]
    if ok and key == "device_id":
        value = value.lower()
        ok = all(c in "0123456789abcdef" for c in value)
    if not ok:
        want = _CHOICES.get(key) or "%s, %d to %d" % (kind.__name__, low, high)
        raise ConfigError(INVALID_ARGUMENT, "%s = %r: expected %s" % (key, value, want))
    return value


def checked(values):
    """Return settings as they are stored; raise `ConfigError` for the first wrong one."""
    return {key: check(key, value) for key, value in values.items()}


def board_id():
    """Return the id of this board, 24 hex digits from `machine.unique_id()` (device-api 4.1)."""
    import machine

    uid = machine.unique_id()
    return binascii.hexlify((uid + bytes(12))[:12]).decode()


def load(store, board):
    """Return the settings as a dict: the stored ones over the defaults of `board`.

    Raises `ConfigError` when the file is damaged or newer; it is never overwritten then.
    """
    values = {
        "device_id": None,
        "product_id": 0xFFFF,
        "product_version": 0xFFFF,
        "platform_id": board.PLATFORM_ID,
        "transport": board.TRANSPORT,
        "server": None,
        "port": None,
        "keep_alive": None,
        "auto_connect": False,
        "limits": "1024",
        "wire_profile": "compact",
        "connect_events": False,
    }
    data = store.read(_FILE)
    if data is None:
        return values
    try:
        saved = json.loads(data)
        version = saved.pop("v")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigError(
            BAD_DATA, _FILE + " is damaged: provision again or remove it", "store"
        ) from None
    if version != 1:
        raise ConfigError(BAD_DATA, _FILE + " is of a newer version: update the library", "store")
    for key in saved:
        # a key this version does not know stays in the record and is written back
        if saved[key] is not None:
            values[key] = check(key, saved[key]) if key in _KEYS else saved[key]
    return values


def save(store, values):
    """Replace the stored settings by `values`; raises `Error(FILE)`, then the old ones stay."""
    record = dict(values)
    record["v"] = 1
    store.write(_FILE, json.dumps(record).encode())
