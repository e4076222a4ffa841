"""Profile of Raspberry Pi's Pico W (DESIGN 5, board)."""

NAME = "RPI_PICO_W"
PLATFORM_ID = 60000
NET = "wifi"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/pt"
BACKUP = None
LED = ("pin", ("LED",), False)
BUTTON = None
UART = None
MODEM = None
OTA = "app-ab"
WDT_MS = 8000
TIER = "C"
