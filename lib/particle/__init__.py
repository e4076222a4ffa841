"""Particle Device Cloud for MicroPython: every verb acts on the default client `particle.cloud`.

Names and behaviour: device-api section 13.
"""


def _tidy(before, after):
    # What stays in a small heap must not lie between garbage: that is collected often until
    # the first connection has all it needs (client.py). An application may decide otherwise.
    import gc

    can = hasattr(gc, "threshold") and gc.threshold() == before
    if can and gc.mem_alloc() + gc.mem_free() < 65536:
        gc.threshold(after)


_tidy(-1, 1024)

import sys  # noqa: E402

from . import client, errors  # noqa: E402

version = "0.1.0"
version_number = 0x00010000


def __getattr__(name):
    global cloud
    if name == "cloud":
        if name not in globals():
            cloud = client.Cloud()
        return cloud
    for source in (client, errors):
        if name[0].isupper() and hasattr(source, name):
            return getattr(source, name)
    try:
        from .runtime.names import find
    except ImportError:
        raise ImportError(name + client.hint) from None
    return find(name, lambda: __getattr__("cloud"))


class _Verb:
    # a name of the module's own, because tab completion is to find it; help() and the prompt show
    # how it is used
    def __init__(self, name):
        self._name = name

    def __call__(self, *args, **options):
        return getattr(__getattr__("cloud"), self._name)(*args, **options)

    def __repr__(self):
        try:
            from .runtime.help import use
        except ImportError:
            return self._name
        return use(self._name)


class _Publish(_Verb):
    def __call__(self, name, data=None, *flags, **options):
        # flags as in a sketch: NO_ACK and WITH_ACK matter, PRIVATE and PUBLIC mean nothing now
        for flag in flags:
            if flag & 10:
                options["ack"] = flag & 8 != 0
        return __getattr__("cloud").publish(name, data, **options)


publish = _Publish("publish")
for _name in (
    "config server connect connected disconnect disconnected process run run_forever wait_until"
    " subscribe unsubscribe function variable events flush diagnose can_publish keep_alive"
    " set_disconnect_options clear_session sync_time sync_time_pending time_synced_last"
    " publish_vitals get_name get_ip get_random usage"
).split():
    setattr(sys.modules[__name__], _name, _Verb(_name))  # interns the name: tab offers no other
__doc__ = _Verb("")  # for help(): the objects
# help() shows whatever has a name here
del _tidy, _Verb, _Publish, _name, sys
