"""What a board is that was told nothing: its profile and its id.

The constants are those of boards/*/particle_board.py.
"""

from binascii import hexlify

from micropython import const

from ..errors import ConfigError

_BAD_DATA = const(-280)

PLATFORM_ID = const(60000)
NET = "host"
TRANSPORT = "udp"
STORE_ROOT = "/pt"


def device_id():
    """Return 24 hex digits made from `machine.unique_id()`; raise `ConfigError` without it."""
    try:
        from machine import unique_id
    except ImportError:
        raise ConfigError(_BAD_DATA, "no device_id: provision the board", "id") from None
    return hexlify((unique_id() + bytes(12))[:12]).decode()
