"""Profile of the emulated Cortex-M3 (DESIGN 5, board)."""

NAME = "QEMU_M3"
PLATFORM_ID = 3
NET = "host"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/flash/pt"
BACKUP = None
LED = None
BUTTON = None
UART = None
MODEM = None
OTA = "app-ab"
WDT_MS = 0  # it has none
TIER = "A"
