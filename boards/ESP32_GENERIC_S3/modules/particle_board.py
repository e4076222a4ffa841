"""Profile of modules with an ESP32-S3 and 8 MiB of flash (DESIGN 5, board)."""

NAME = "ESP32_GENERIC_S3"
PLATFORM_ID = 60000
NET = "wifi"
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/pt"
BACKUP = ("rtc", 2048)
LED = None
BUTTON = (0, 0)  # pin, level while pressed
UART = None
MODEM = None
OTA = "esp32-ab"
WDT_MS = 8000
TIER = "B"
