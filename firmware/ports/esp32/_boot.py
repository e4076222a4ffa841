"""What the firmware runs first: mount the partition `vfs`."""

import gc

import board_files
from flashbdev import bdev

if bdev:
    board_files.mount(bdev, "/")
gc.collect()
