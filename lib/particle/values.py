"""Values that the cloud can read (cloud-protocol 4.7); loaded with the first of them."""

from micropython import const

from .errors import Error
from .operation import int32
from .wire.messages import encode

_TOO_LARGE = const(-190)  # error number of Device OS (errors.py)

_INT = const(2)  # kind of a variable (cloud-protocol 4.2)
_KINDS = {bool: 1, int: _INT, str: 4, float: 9}


class Variable:
    """A value that the cloud can read: set `value`, or give a callable that computes it."""

    def __init__(self, name, value, type_):
        self.name = name
        self._get = value if callable(value) else None
        if self._get:
            value = value() if type_ is None else None
        self._type = type_ = type_ or type(value)
        self.kind = _KINDS.get(type_)
        if self.kind is None:
            raise ValueError("variable must be bool, int, float or str")
        if not self._get:
            self.value = value

    @property
    def value(self):
        """Return the value, computed now if it is a callable."""
        return self._check(self._get()) if self._get else self._value

    @value.setter
    def value(self, value):
        self._value = self._check(value)

    def _check(self, value):
        try:
            return int32(value) if self.kind == _INT else self._type(value)
        except ValueError as e:
            raise ValueError("variable %s: %s" % (self.name, e)) from None

    def encode(self, limit):
        """Return the payload of an answer; raise `Error(TOO_LARGE)` when it is over `limit`."""
        data = encode(self.kind, self.value)
        if len(data) > limit:
            raise Error(_TOO_LARGE, "variable %s: %d bytes" % (self.name, len(data)))
        return data

    def __repr__(self):
        return "<Variable %s %r>" % (self.name, self._get or self._value)
