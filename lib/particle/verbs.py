"""Verbs of the client that are seldom needed, as functions of the client (device-api 13).

Loaded on first use; without this file the client has only what it needs to run.
"""

import json
from binascii import unhexlify

from micropython import const

from .crypto.der import rsa_public
from .errors import ConfigError
from .operation import in_task, now

_INVALID_ARGUMENT = const(-270)
_USER = const(2)  # reason of a cloud disconnection (cloud-protocol 4.11)
_SESSION = const(1)  # kind of container

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
}


def find(name):
    """Return the verb of this name; raise AttributeError when there is none."""
    verb = globals().get(name)
    if verb is None:
        raise AttributeError(name)
    return verb


def check(key, value):
    """Return `value` as it is stored; raise `ConfigError` that names the key and what fits."""
    if key not in _RULES:
        raise ConfigError(_INVALID_ARGUMENT, "unknown setting %r" % key)
    rule = _RULES[key]
    kind = type(value)
    if rule is None:
        ok = kind is str and 0 < len(value) < 64
        if ok and key == "device_id":
            try:
                value = value.lower()
                ok = len(unhexlify(value)) == 12
            except ValueError:
                ok = False
        rule = "24 hex digits" if key == "device_id" else "1 to 63 characters"
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


def config(client, key=None, **values):
    """Return the setting `key`, all of them without one, or check and store `values`."""
    if key:
        return client._values.get(key)
    changed = dict(client._values)
    if not values:
        return changed
    changed.update(checked(values))
    record = dict(changed)
    record["v"] = 1
    client._store.write("config.json", json.dumps(record).encode())
    client._values = changed
    return None


def server(client, host, port=None, *, key=None):
    """Store whom to connect to; key: the server's public key, DER bytes.

    Raises `ConfigError`, and ValueError when `key` is no RSA public key.
    """
    values = {"server": host}
    if port:
        values["port"] = port
    values = checked(values)
    if key:
        rsa_public(key)
        client._store.write("server.rsa.der", key)
    config(client, **values)


def disconnect(client, *, graceful=False, timeout=30, clear_session=False):
    """Close the connection and stay off; graceful: say goodbye first (at most `timeout` s)."""
    client._quiet()
    if client._conn is None:
        return
    client._conn.close(now(), _USER if graceful else None)
    client.process()
    if graceful and not in_task():
        client.wait_until(lambda: client._sock is None, timeout)
    if clear_session:
        client._store.erase(_SESSION)


def unsubscribe(client, prefix=None):
    """Remove the handlers of `prefix`, or all."""
    for filter_, _, _ in client._handlers:
        if client._conn and prefix in (None, filter_):
            client._conn.unsubscribe(now(), filter_)
    client._handlers = [h for h in client._handlers if prefix not in (None, h[0])]
