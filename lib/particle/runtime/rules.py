"""What settings may be (device-api 13, config), and the data of an event."""

import binascii

from micropython import const

from ..errors import ConfigError

_BAD_DATA = const(-280)
_INVALID_ARGUMENT = const(-270)

_TTL = const(0xFFFFFF)  # s (cloud-protocol 4.3)
_HOST = const("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_DEPTH = const(20)  # of lists and dicts in each other; deeper ones take a small board's stack

# key -> choices, smallest number (the largest is 65535), or None for text
_RULES = {
    "device_id": None,
    "product_id": 0,
    "product_version": 0,
    "platform_id": 0,
    "transport": ("udp", "tcp"),
    "server": None,
    "port": 1,
    "keep_alive": 1,
    "auto_connect": (False, True),
    "limits": ("622", "864", "1024"),
    "wire_profile": ("compact", "device-os"),
    "connect_events": (False, True),
    "setup_prefix": None,  # the name of the access point in setup begins with it
}

_TEXTS = {
    "device_id": "24 hex digits",
    "server": "a host name or an IPv4 address; the port is a setting of its own",
}


def known(key):
    """Raise `ConfigError` that names the settings there are when `key` is none of them."""
    if key not in _RULES:
        names = ", ".join(sorted(_RULES))
        raise ConfigError(_INVALID_ARGUMENT, "unknown setting %r: there are %s" % (key, names))


def check(key, value):
    """Return `value` as it is stored; raise `ConfigError` that names the key and what fits."""
    known(key)
    rule = _RULES[key]
    kind = type(value)
    if rule is None:
        ok = kind is str and 0 < len(value) < 64
        rule = _TEXTS.get(key, "1 to 63 characters")
        if ok and key == "device_id":
            try:
                value = value.lower()
                ok = len(binascii.unhexlify(value)) == 12
            except ValueError:
                ok = False
        elif ok and key == "server":
            ok = not set(value.lower()) - set(_HOST)
    elif isinstance(rule, tuple):
        ok = kind is type(rule[0]) and value in rule
    else:
        ok = kind is int and rule <= value <= 0xFFFF
        rule = "%d to 65535" % rule
    if not ok:
        raise ConfigError(_INVALID_ARGUMENT, "%s = %r: expected %s" % (key, value, rule))
    return value


def checked(values):
    """Return settings as they are stored; raise `ConfigError` for the first wrong one."""
    return {key: check(key, value) for key, value in values.items()}


def check_stored(values):
    """Raise `ConfigError` with stage "store" when a setting that was read cannot be used.

    Settings of later versions are left alone.
    """
    try:
        checked({key: values[key] for key in values if key in _RULES})
    except ConfigError as e:
        raise ConfigError(_BAD_DATA, "config.json: " + e.text, "store") from None


def check_ttl(ttl):
    """Raise ValueError for what is no lifetime of an event, in s."""
    if ttl is not None and not (isinstance(ttl, int) and 0 <= ttl <= _TTL):
        raise ValueError("ttl: 0 to %d s, not %r" % (_TTL, ttl))


def check_data(data, kind=None):
    """Raise ValueError for what JSON cannot say; a number that stands alone is sent as text.

    kind: number of its content format (cloud-protocol 4.3).
    """
    if kind is not None and not (isinstance(kind, int) and 0 <= kind <= 0xFFFF):
        raise ValueError("content_type: 0 to 65535, not %r" % (kind,))
    if not isinstance(data, float):
        _check_json(data, 0)


def _check_json(data, depth):
    if depth > _DEPTH:
        raise ValueError("data: nested more than %d deep" % _DEPTH)
    if isinstance(data, dict):
        for key in data:
            if not isinstance(key, str):
                raise ValueError("data: a key must be text, not %r" % (key,))
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        for value in data:
            _check_json(value, depth + 1)
    elif isinstance(data, float):
        if data - data != 0:  # infinite, or not a number
            raise ValueError("data: JSON cannot say %r" % data)
    elif not (data is None or isinstance(data, (bool, int, str))):
        raise ValueError("data: %r is no text, number, list or dict" % (data,))
