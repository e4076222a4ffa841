"""What the networks of a board cost its heap: printed as two numbers of bytes."""

import gc

from particle.store.container import Store

ADDRESS = ("192.168.1.5", "255.255.255.0", "192.168.1.1", "9.9.9.9")
store = Store("/build/pt")
store.put(4, b"x")
store.get(4)


def used():
    """Return the bytes in use."""
    gc.collect()
    return gc.mem_alloc()


def fill():
    """Store ten networks of the largest size."""
    for i in range(10):
        networks.add(b"%032d" % i, "p" * 63, security=3, static=ADDRESS, bssid=b"\x02" * 6)


before = used()
from particle.store.networks import Networks  # noqa: E402

networks = Networks(store)
fill()
print("resident", used() - before)
everything = list(networks)
print("listed", used() - before, len(everything))
