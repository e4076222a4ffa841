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
OTA = "app-romfs"
ROMFS = ("vfs", 0, 0x20000)  # of the port, first byte, bytes of each half
WDT_MS = 8000
TIER = "C"
