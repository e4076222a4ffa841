"""What a board is that was told nothing: its profile, as far as its firmware shows it, and its id.

The constants are those of boards/*/particle_board.py.
"""

import binascii
import os

from micropython import const

from ..errors import ConfigError

_BAD_DATA = const(-280)

PLATFORM_ID = const(60000)
TRANSPORT = "udp"

try:
    from network import WLAN  # noqa: F401

    NET = "wifi"
except ImportError:
    NET = "host"

try:
    os.stat("/flash")  # where the ports that have it mount their files
    STORE_ROOT = "/flash/pt"
except OSError:
    STORE_ROOT = "/pt"


def device_id():
    """Return 24 hex digits made from `machine.unique_id()`; raise `ConfigError` without it."""
    try:
        from machine import unique_id
    except ImportError:
        raise ConfigError(_BAD_DATA, "no device_id: provision the board", "id") from None
    return binascii.hexlify((unique_id() + bytes(12))[:12]).decode()
