"""Particle Device Cloud for MicroPython: every verb acts on the default client `particle.cloud`.

Names and behaviour: device-api section 13.
"""

from . import client, errors

version = "0.1.0"

_default = None


def _cloud():
    global _default
    if _default is None:
        _default = client.Cloud()
    return _default


def __getattr__(name):
    if name == "cloud":
        return _cloud()
    for source in (client, errors):
        if name[0].isupper() and hasattr(source, name):
            return getattr(source, name)
    if name in ("device_id",):
        return getattr(_cloud(), name)
    raise AttributeError(name)


def _verb(name):
    # a real function, because tab completion offers nothing that __getattr__ serves
    return lambda *args, **kwargs: getattr(_cloud(), name)(*args, **kwargs)


for _name in (
    "config server connect connected disconnect disconnected process run run_forever wait_until"
    " publish subscribe unsubscribe function variable"
).split():
    globals()[_name] = _verb(_name)
