"""The firmware of an ESP32 with two slots for it, for the boot stage (particle_boot.py).

`firmware` is the one that runs. While it is being tried `watchdog` runs, from before anything of
the application does.
"""

import machine
import particle_board
from micropython import const

if particle_board.OTA != "esp32-ab":
    raise ImportError

from particle.ota.firmware import Firmware

_WDT_MS = const(8000)

watchdog = None
firmware = Firmware(particle_board.STORE_ROOT)
if firmware.trial:
    _timeout = getattr(particle_board, "WDT_MS", _WDT_MS)
    if _timeout:
        watchdog = machine.WDT(timeout=_timeout)
