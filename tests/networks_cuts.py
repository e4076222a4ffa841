"""The power fails in every operation of every change to what a board knows of its networks, and
again in every operation of the next attempt: everything is as before the change or as after it.

`python networks_cuts.py` or `micropython networks_cuts.py` in the project's root does it all.
"""

import gc
import sys

try:
    import vfs
except ImportError:
    vfs = None

from particle.store import access
from particle.store.container import Store
from particle.store.enterprise import certificates
from particle.store.networks import Networks
from particle.store.nvs import Nvs
from particle.store.pair import Pair
from particle.store.sealed import Sealed
from ram_flash import Cut, RamFlash, mount, umount
from ram_nvs import NVS
from support import rng

if NVS:
    import ram_nvs

    ram_nvs.Nvs.failure = Cut

_ADDRESS = ("192.168.1.5", "255.255.255.0", "192.168.1.1", "9.9.9.9")
_CLIENT = {"client_cert": b"C" * 300}
TEARS = 4


def _eleven(n):
    for i in range(9):
        n.add("n%d" % i, "p" * 20)


# each can be repeated, and then does nothing more
CHANGES = (
    lambda n: n.add("home", "correct horse", security=3),
    lambda n: n.add(b"\xff" * 32, "p" * 63, static=_ADDRESS),
    lambda n: n.add("home", "another one", security=2, channel=11),
    lambda n: n.used(b"home"),
    lambda n: n.add("corp", "pass", identity="me", ca_cert=b"CA" * 300),
    lambda n: n.option("antenna", b"\1"),
    lambda n: n.add("corp", private_key=b"K" * 200, **_CLIENT),
    lambda n: n.store.write("device.ec.der", b"D" * 121),
    lambda n: n.add("lab", "word", identity="you"),
    lambda n: n.remove("home"),
    lambda n: access.set_access_point(n.store, "internet", "user", "secret"),
    lambda n: access.set_claim_code(n.store, "c" * 63),
    # twice: what is removed next has an older content
    lambda n: access.set_claim_code(n.store, "d" * 63),
    lambda n: access.set_access_point(n.store, None),
    lambda n: access.set_claim_code(n.store, None),
    lambda n: n.add("n9", "p" * 20),
    lambda n: n.clear(),
)


def seen(store):
    """Return everything that a board would find."""
    networks = Networks(store)
    out = [networks.option("antenna"), store.read("device.ec.der")]
    out += [access.access_point(store), access.access_point_login(store)]
    out.append(access.claim_code(store))
    for n in networks:
        files = certificates(store, n)
        parts = [files[name] for name in sorted(files)]
        out.append(
            (n.ssid, n.security, n.channel, n.static, n.identity, networks.password(n.ssid))
        )
        out.append(parts)
    return out


class Files:
    """Files on littlefs."""

    def __init__(self, data):
        self.data = {block: bytearray(data[block]) for block in data}

    def life(self, act, cut=0, tear=0):
        """Switch on, call act(store) until the power fails; return the operations, the result."""
        flash = RamFlash(self.data, cut, tear)
        result = None
        try:
            mount(flash)
            flash.operations = 0
            flash._cut = cut
            result = act(self.store(flash))
        except Cut:
            pass
        except OSError:
            if flash.operations < cut or not cut:
                raise
            # of what closes a file behind the failure
        finally:
            umount()
        return flash.operations, result

    def store(self, flash):
        """Return the store on it."""
        return Store("/cut/pt")


class SealedFiles(Files):
    """Files on littlefs, encrypted."""

    def store(self, flash):
        """Return the store on it."""
        return Sealed(Store("/cut/pt"), bytes(16), rng())


class Blocks(Files):
    """Raw flash."""

    def life(self, act, cut=0, tear=0):
        """Switch on, call act(store) until the power fails; return the operations, the result."""
        flash = RamFlash(self.data, cut, tear)
        result = None
        try:
            result = act(Pair(flash))
        except Cut:
            pass
        return flash.operations, result


class Keys:
    """The ESP32's NVS."""

    def __init__(self, data):
        self.data = dict(data)

    def life(self, act, cut=0, tear=0):
        """Switch on, call act(store) until the power fails; return the operations, the result."""
        nvs = ram_nvs.Nvs(self.data, cut, tear)
        result = None
        try:
            result = act(Nvs(nvs))
        except Cut:
            pass
        return nvs.operations, result


PLACES = {"pair": Blocks}
if vfs:
    PLACES.update({"files": Files, "sealed": SealedFiles})
if NVS:
    PLACES["nvs"] = Keys


def change(act):
    """Return a life that does one thing."""
    return lambda store: act(Networks(store))


def every(name, step=1, first=0):
    """Cut on one back end at every `step`-th place; return how often the power failed."""
    kind = PLACES[name]
    place = kind({})
    place.life(change(_eleven))
    at = first
    cuts = 0
    for act in CHANGES:
        base = place.data
        old = kind(base).life(seen)[1]
        place = kind(base)
        operations = place.life(change(act))[0]
        new = place.life(seen)[1]
        assert old != new and operations, (name, CHANGES.index(act))
        for tear in range(TEARS):
            for cut in range(1, operations + 1):
                once = kind(base)
                if at % step == 0:
                    once.life(change(act), cut, tear)
                    assert once.life(seen)[1] in (old, new), (name, act, cut, tear)
                    cuts += 1
                # and again in the next attempt
                more = 0
                ended = False
                while not ended:
                    more += 1
                    at += 1
                    if at % step and more < 40:
                        ended = more > operations
                        continue
                    twice = kind(base)
                    twice.life(change(act), cut, tear)
                    ended = twice.life(change(act), more, tear)[0] < more
                    found = twice.life(seen)[1]
                    assert found in (old, new), (name, act, cut, more, tear)
                    twice.life(change(act))
                    assert twice.life(seen)[1] == new, (name, act, cut, more, tear)
                    cuts += 1 if ended else 2
            gc.collect()
    return cuts


def main():
    """Cut everywhere and tell how often."""
    total = 0
    for name in sorted(PLACES):
        cuts = every(name)
        print("%s: %d cuts, nothing lost, nothing half-written" % (name, cuts))
        total += cuts
    print("%d cuts" % total)


if __name__ == "__main__":
    sys.path[:0] = ["lib", "tests"]
    main()
