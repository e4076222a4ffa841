"""Particle Device Cloud for MicroPython: every verb acts on the default client `particle.cloud`.

Names and behaviour: device-api section 13.
"""


def _tidy(before, after):
    # What stays in a small heap must not lie between garbage: that is collected often until
    # the first connection has all it needs (client.py). An application may decide otherwise:
    # 1056 is a whole number of blocks, and none that anybody would choose.
    import gc

    can = hasattr(gc, "threshold") and gc.threshold() == before
    if can and gc.mem_alloc() + gc.mem_free() < 65536:
        gc.threshold(after)


_tidy(-1, 1056)

from . import client, errors  # noqa: E402

version = "0.1.0"
version_number = 0x00010000


def __getattr__(name):
    global cloud
    try:
        if name == "cloud":
            if name not in globals():
                cloud = client.Cloud()
            return cloud
        if name == "Variable":
            from .values import Variable

            return Variable
        for source in (client, errors):
            if name[0].isupper() and hasattr(source, name):
                return getattr(source, name)
        # a verb of the core; none of them takes memory until it is used
        if name[0] != "_" and callable(getattr(client.Cloud, name, None)):
            return getattr(__getattr__("cloud"), name)
        from .runtime.names import find
    except ImportError:  # dir() asks for every name there is
        raise AttributeError(name + client.hint) from None
    return find(name, lambda: __getattr__("cloud"))


try:
    from .runtime.prompt import offer
except ImportError:
    pass
else:
    offer(__name__, __getattr__)
    del offer
del _tidy  # help() shows whatever has a name here
