"""The configuration record pt/config.json and its defaults (DESIGN 5, store)."""

import json

from micropython import const

from .errors import ConfigError

_BAD_DATA = const(-280)


def load(store, board):
    """Return the settings as a dict: the stored ones over the defaults of `board`.

    Raises `ConfigError` when the file is damaged or newer; it is never overwritten then.
    """
    values = {
        "product_id": 0xFFFF,
        "product_version": 0xFFFF,
        "platform_id": board.PLATFORM_ID,
        "transport": board.TRANSPORT,
        "limits": "1024",
    }
    data = store.read("config.json")
    if data is not None:
        version = None
        try:
            saved = json.loads(data)
            version = saved.pop("v", None)
        except (ValueError, AttributeError, TypeError):
            pass
        if version != 1:
            why = "of a newer version" if version else "damaged: provision again or remove it"
            raise ConfigError(_BAD_DATA, "config.json is " + why, "store")
        # a key this version does not know stays in the record and is written back
        values.update({key: saved[key] for key in saved if saved[key] is not None})
    return values
