"""A key of the device, made on it; the private half stays there."""

from particle_tools.on_board._common import open_place, say


def run(transport, make_it, again=False):
    """Return [made now, public key as hex of DER or None]; progress in percent.

    make_it: make it if there is none. again: forget the one that is there.
    """
    import os
    import time
    from binascii import hexlify

    from particle.store.keygen import make, public

    store = open_place()
    if again:
        store.erase(1)  # a session is of two keys
        store.remove("device.ec.der" if transport == "udp" else "device.rsa.der")
    made = False
    if make_it:
        said = time.ticks_ms()
        for percent in make(store, transport, os.urandom):
            if not made or time.ticks_diff(time.ticks_ms(), said) > 200:
                said = time.ticks_ms()
                say("progress", percent)
            made = True
    found = public(store, transport)
    return [made, hexlify(found).decode() if found else None]
