"""Profile of the Pyboard D with an STM32F767 (DESIGN 5, board)."""

NAME = "PYBD_SF6"
PLATFORM_ID = 60000
NET = "wifi"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/flash/pt"
BACKUP = ("mem", 4096)
LED = ("pin", ("LED_GREEN",), True)
BUTTON = ("USR", 0)  # pin, level while pressed
UART = None
MODEM = None
OTA = "mboot"
MBOOT = (0x80000000, 0x200000, 4096, 0x40002860)  # base, bytes, block; first register (BKP4R)
WDT_MS = 8000
TIER = "C"
