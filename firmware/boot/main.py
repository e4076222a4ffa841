"""What a firmware runs as its frozen `main.py`."""

import sys

# before anything else is imported: nothing that lies about on the file system may stand in for
# what is frozen, or for a built-in module
sys.path[:] = [".frozen"]

import particle_boot  # noqa: E402

particle_boot.start()
