"""What the firmware runs first: mount the part of the flash that is for files."""

import board_files
from rp2 import Flash

# programs are multiples of a page
board_files.mount(Flash(), "/", progsize=256)
