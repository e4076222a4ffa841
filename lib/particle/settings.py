"""The configuration record pt/config.json and its defaults (DESIGN 5, store)."""

import json
from binascii import hexlify

from micropython import const

from .errors import ConfigError

_BAD_DATA = const(-280)

_FILE = "config.json"


def load(store, board):
    """Return the settings as a dict: the stored ones over the defaults of `board`.

    Raises `ConfigError` when the file is damaged or newer; it is never overwritten then.
    """
    values = {}
    values["product_id"] = values["product_version"] = 0xFFFF
    values["platform_id"] = board.PLATFORM_ID
    values["transport"] = board.TRANSPORT
    values["limits"] = "1024"
    data = store.read(_FILE)
    if data is not None:
        version = None
        try:
            saved = json.loads(data)
            version = saved.pop("v")
        except (ValueError, KeyError, AttributeError, TypeError):
            pass
        if version != 1:
            why = "of a newer version: update the library"
            if not version:
                why = "damaged: provision again or remove it"
            raise ConfigError(_BAD_DATA, "config.json is " + why, "store")
        # a key this version does not know stays in the record and is written back
        values.update({key: saved[key] for key in saved if saved[key] is not None})
    return values


def board_id():
    """Return the id of a board that was given none: 24 hex digits from `machine.unique_id()`."""
    try:
        from machine import unique_id
    except ImportError:
        raise ConfigError(_BAD_DATA, "no device_id: provision the board", "id") from None
    return hexlify((unique_id() + bytes(12))[:12]).decode()
