"""Profile of Particle's Xenon, which nothing here can connect yet (DESIGN 5, board)."""

NAME = "PARTICLE_XENON"
PLATFORM_ID = 14
NET = None
TRANSPORT = "udp"
STORE = "littlefs"
STORE_ROOT = "/flash/pt"
BACKUP = None
LED = ("pwm3", ("LED1", "LED2", "LED3"), True)
BUTTON = ("BUTTON", 0)  # pin, level while pressed
UART = None
MODEM = None
OTA = "none"
WDT_MS = 0
TIER = "C"
