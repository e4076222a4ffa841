"""Run by test_missing on MicroPython: a board that lacks something, named by the first argument.

The second is the transport. What `connect` raises is printed.
"""

import sys

import particle


class Absent:
    """Stands for a module that is not in the firmware."""

    def __init__(self, name):
        self._text = "no module named '%s'" % name

    def __getattr__(self, name):
        raise ImportError(self._text)


for name in sys.argv[1].split(","):
    sys.modules[name] = Absent(name)
try:
    particle.Cloud(server="127.0.0.1", device_id="3a" * 12, transport=sys.argv[2]).connect(1)
except particle.ConfigError as error:
    print("ConfigError", error.errno, error.stage, error.text)
except (AttributeError, ImportError) as error:
    print(type(error).__name__, error)
