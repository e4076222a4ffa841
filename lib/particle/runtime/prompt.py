"""The verbs as names of the package: tab completion and help() find them, and the prompt shows how
they are used (device-api 13). The package knows the verbs of the core without this file, too.
"""

import sys


class Verb:
    """A verb of the default client; find: the package's way to a name, which knows the client."""

    def __init__(self, name, find):
        self._name = name
        self._find = find

    def __call__(self, *args, **options):
        return getattr(self._find("cloud"), self._name)(*args, **options)

    def __repr__(self):
        from .help import use

        return use(self._name)


class _Publish(Verb):
    def __call__(self, name, data=None, *flags, **options):
        # flags as in a sketch: NO_ACK and WITH_ACK matter, PRIVATE and PUBLIC mean nothing now
        for flag in flags:
            if flag & 10:
                options["ack"] = flag & 8 != 0
        return self._find("cloud").publish(name, data, **options)


def offer(name, find):
    """Give the package of this name a name for every verb; find: its `__getattr__`."""
    package = sys.modules[name]
    for verb in (
        "config server connect connected disconnect disconnected process run run_forever"
        " wait_until subscribe unsubscribe function variable events flush diagnose can_publish"
        " keep_alive set_disconnect_options clear_session sync_time sync_time_pending"
        " time_synced_last publish_vitals get_name get_ip get_random usage"
    ).split():
        setattr(package, verb, Verb(verb, find))  # interns the name: tab offers no other
    package.publish = _Publish("publish", find)
    package.__doc__ = Verb("", None)  # for help(): the objects
