"""Profile of LILYGO's T-SIM7000G over its Wi-Fi (DESIGN 5, board)."""

NAME = "LILYGO_T_SIM7000G"
PLATFORM_ID = 60000
NET = "wifi"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/pt"
BACKUP = ("rtc", 2048)
LED = ("pin", (12,), True)
BUTTON = None
UART = None
MODEM = None
OTA = "app-ab"
WDT_MS = 8000
TIER = "B"
