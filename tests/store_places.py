"""The back ends of the store, each empty, for tests that run on all of them."""

from particle.store.container import Store
from particle.store.nvs import Nvs
from particle.store.pair import Pair
from particle.store.sealed import Sealed
from ram_flash import RamFlash
from ram_nvs import NVS
from support import folder, rng

if NVS:
    from ram_nvs import Nvs as RamNvs

KEY = bytes(range(16))


def places(name):
    """Yield (name of the back end, empty store, function that opens it again)."""
    files = Store(folder(name))
    yield "files", files, lambda: Store(files.root)
    flash = RamFlash()
    yield "pair", Pair(flash), lambda: Pair(flash)
    if NVS:
        nvs = RamNvs()
        yield "nvs", Nvs(nvs), lambda: Nvs(RamNvs(nvs.content))
    sealed = Store(folder(name + "s"))
    yield (
        "sealed",
        Sealed(sealed, KEY, rng()),
        lambda: Sealed(Store(sealed.root), KEY, rng(2)),
    )
