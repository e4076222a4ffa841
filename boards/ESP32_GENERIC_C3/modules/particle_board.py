"""Profile of modules with an ESP32-C3 and 4 MiB of flash (DESIGN 5, board)."""

NAME = "ESP32_GENERIC_C3"
PLATFORM_ID = 60000
NET = "wifi"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/pt"
BACKUP = ("rtc", 2048)
LED = None
BUTTON = (9, 0)  # pin, level while pressed
UART = None
MODEM = None
OTA = "app-ab"
WDT_MS = 8000
TIER = "B"

try:
    from particle_variant import *  # noqa: F403  what a variant of the firmware changes
except ImportError:
    pass
