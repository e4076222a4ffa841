"""What the boot stage chooses in a test, on a board that may have no file system of its own."""

import particle
import particle_boot
from particle.ota import rescue
from particle.ota.bootrecord import BootRecord
from particle.store.container import Store


def choose(root, signed, *args):
    """Return what it chooses of the slots in `root`; signed: in the place of `rescue.signed`."""
    real = rescue.signed, particle.Cloud
    rescue.signed = signed
    particle.Cloud = client_of(root)
    try:
        return particle_boot.choose(BootRecord(root), *args)
    finally:
        rescue.signed, particle.Cloud = real


def client_of(root):
    """Return what makes a client whose store is in the folder `root`."""
    real = particle.Cloud
    return lambda: real(store=Store(root))
