"""Public names that need no code of their own: flags, content types, objects (device-api 13)."""

_FLAGS = {
    "PUBLIC": 0,
    "PRIVATE": 1,
    "NO_ACK": 2,
    "WITH_ACK": 8,
    "TEXT": 0,
    "JPEG": 22,
    "PNG": 23,
    "BINARY": 42,
}
# of the default client, not of the module
_VALUES = (
    "device_id interface led retained setup wifi"
    " max_event_data_size max_variable_value_size max_function_argument_size"
).split()


class _Object:
    # a module that says at the prompt what it knows
    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)

    def __repr__(self):
        return self._module.text()


def find(name, cloud):
    """Return what `particle.NAME` is; cloud() gives the default client. Raises AttributeError."""
    if name in _FLAGS:
        return _FLAGS[name]
    if name in _VALUES:
        return getattr(cloud(), name)
    if name == "time":
        from . import clock

        return _Object(clock)
    if name == "vitals":
        from . import vitals

        vitals.default = cloud
        return _Object(vitals)
    if name == "system":
        try:
            from .power import system
        except ImportError:
            raise AttributeError("system: install the component safe") from None
        system.default = cloud
        return system
    if name.isupper():
        from .events import EVENTS

        if name in EVENTS:
            return 1 << EVENTS.index(name)
    if name == "Event":
        from .stream import Event

        return Event
    raise AttributeError(name)
