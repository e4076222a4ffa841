"""Flash that holds firmware, in a file of the board's folder on the host.

Erasing sets the bits of 4 KiB, programming clears bits; each is an operation for the
supervisor's --cut.
"""

import _sim
from micropython import const

_SECTOR = const(4096)


class Flash:
    """The flash in the file `name`; addresses count from its first byte."""

    def __init__(self, name):
        self._file = _sim.open_host(name, "r+b")

    def read(self, at, buf):
        """Fill `buf` from address `at`."""
        self._file.seek(at)
        self._file.readinto(buf)

    def erase(self, at):
        """Set all bits of the sector at address `at`."""
        self._change(at, b"\xff" * _SECTOR)

    def program(self, at, data):
        """Clear those bits that are 0 in `data`."""
        old = bytearray(len(data))
        self.read(at, old)
        self._change(at, bytes([a & b for a, b in zip(old, data)]))

    def _change(self, at, data):
        tear = _sim.chip.other()
        n = len(data) if tear is None else len(data) * tear // 3
        self._file.seek(at)
        self._file.write(data[:n])
        if tear is not None:
            _sim.die(_sim.POWER_CUT)
