"""Variables that survive a reset (device-api 4.6): `particle.retained`, used like a dict.

In backup memory they survive everything but the loss of power, in a file that too.
"""

import json

from micropython import const

from ..errors import ConfigError, Error

# Error numbers of Device OS (errors.py)
_TOO_LARGE = const(-190)

_KIND = const(7)  # of the container
_SIZE = const(1024)  # bytes of the JSON text


class Retained:
    """A small dict that is kept: keys are text, values None, bool, numbers, text, lists, dicts.

    keeper: has `get(kind)` and `put(kind, payload)`. What is there but damaged is taken for
    empty. Every change is stored at once: in a file it wears the flash. What is changed inside
    a value is not noticed. Raises ValueError for what cannot be kept, `Error(TOO_LARGE)` for
    more than 1024 bytes, `Error(FILE)`; then nothing has changed.
    """

    def __init__(self, keeper):
        self._keeper = keeper
        self._values = {}
        try:
            values = json.loads(keeper.get(_KIND) or b"{}")
            if isinstance(values, dict):
                self._values = values
        except ConfigError:
            raise
        except (OSError, ValueError):
            pass

    def _keep(self, values):
        try:
            text = json.dumps(values)
            good = json.loads(text) == values
        except (TypeError, ValueError):
            good = False
        if not good:
            raise ValueError("cannot be kept: not text, numbers, lists, dicts")
        text = text.encode()
        if len(text) > _SIZE:
            raise Error(_TOO_LARGE, "retained: %d bytes, at most %d" % (len(text), _SIZE), "store")
        try:
            self._keeper.put(_KIND, text)
        except ValueError as e:
            raise Error(_TOO_LARGE, "retained: %s" % e, "store") from None
        self._values = values

    def __getitem__(self, key):
        return self._values[key]

    def __setitem__(self, key, value):
        if not isinstance(key, str):
            raise ValueError("keys are text")
        values = dict(self._values)
        values[key] = value
        self._keep(values)

    def __delitem__(self, key):
        values = dict(self._values)
        del values[key]
        self._keep(values)

    def __contains__(self, key):
        return key in self._values

    def __iter__(self):
        return iter(list(self._values))

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return "<retained %r>" % self._values

    def get(self, key, default=None):
        """Return the value of `key`, or `default`."""
        return self._values.get(key, default)

    def keys(self):
        """Return the keys."""
        return list(self._values)

    def items(self):
        """Return pairs of key and value."""
        return list(self._values.items())

    def update(self, values):
        """Take over all of another dict with one write."""
        new = dict(self._values)
        new.update(values)
        self._keep(new)

    def clear(self):
        """Forget everything."""
        self._keep({})
