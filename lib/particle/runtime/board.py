"""The profile of a board that has none of its own: constants as in boards/*/particle_board.py."""

from micropython import const

PLATFORM_ID = const(60000)
NET = "host"
TRANSPORT = "tcp"
STORE_ROOT = "/pt"
