"""The firmware of a board where that can be replaced too, for the boot stage (particle_boot.py).

`firmware` is the one that runs. While it is being tried `watchdog` runs, from before anything of
the application does.
"""

import machine
import particle_board
from micropython import const

_WDT_MS = const(8000)

watchdog = None
if particle_board.OTA == "esp32-ab":
    from particle.ota.firmware import Firmware

    firmware = Firmware(particle_board.STORE_ROOT)
elif particle_board.OTA == "mboot":
    from particle.ota.mboot_firmware import Firmware

    firmware = Firmware(particle_board, machine.mem32, machine.reset)
else:
    raise ImportError
if firmware.trial:
    _timeout = getattr(particle_board, "WDT_MS", _WDT_MS)
    if _timeout:
        watchdog = machine.WDT(timeout=_timeout)
