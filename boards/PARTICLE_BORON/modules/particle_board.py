"""Profile of Particle's Boron, which nothing here can connect yet (DESIGN 5, board)."""

NAME = "PARTICLE_BORON"
PLATFORM_ID = 13
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
