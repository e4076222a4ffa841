"""Profile of the simulated board (DESIGN 5, board)."""

import json
import os

import _sim

NAME = "UNIX_SIM"
PLATFORM_ID = 3
NET = "host"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/flash/pt"
BACKUP = ("rtc", 2048)
LED = ("pin", (2,), False)
BUTTON = (0, 0)  # pin, level while pressed
UART = None
MODEM = None
OTA = "app-ab"
if _sim.there("esp32.img"):  # `particle-mp sim --esp32`: with firmware to be replaced too
    OTA = "esp32-ab"
elif _sim.there("stm32.img"):  # `particle-mp sim --mboot`: so is that
    import _stm32

    OTA = "mboot"
    MBOOT = _stm32.PLACE
elif _sim.there("rom.img"):  # `particle-mp sim --romfs`: its applications are ROMFS images
    OTA = "app-romfs"
    ROMFS = ("rp2", 0, 0x20000)
FACTORY = "_default_app"
WDT_MS = 8000
WDT_ALWAYS = _sim.there("wdt")  # a file with its milliseconds
if WDT_ALWAYS:
    WDT_MS = int(_sim.read("wdt"))
TIER = "A"


def _name_server():
    # the simulated network's, else the host's: a board learns it by DHCP
    try:
        dns = json.loads(_sim.read("radio.json") or b"{}").get("dns")
    except ValueError:
        dns = None
    return dns or os.getenv("SIM_DNS") or None


DNS = _name_server()
