"""What the firmware runs when it cannot mount /flash; it tries again afterwards."""

import board_files
from nrf import Flash

board_files.prepare(Flash(), "/flash")
