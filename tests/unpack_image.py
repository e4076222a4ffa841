"""Unpack an image on a board: `unpack_image.py IMAGE KEY SLOT`; prints what was installed."""

import os
import sys

from particle.ota.bundle import Bundle
from particle.ota.sink import Folder, Head
from particle.wire.module import user_slots
from unpacked import unpack

ABOUT = {"board": "UNIX_SIM", "platform": 3, "product": 3, "abi": 2822, "client": 65536}


def main(image, key, slot):
    """Do it in slices."""
    with open(key, "rb") as file:
        keys = [file.read()]
    bundle = Bundle(Head(slot + ".head"), Folder(slot), ABOUT, keys)
    steps = unpack(image, os.stat(image)[6], bundle, 3, user_slots(3))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            print("installed", done.value.function, done.value.index)
            return


main(*sys.argv[1:])
