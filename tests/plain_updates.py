"""A boot stage that has chosen the application, and updates that go into one plain file: for what
is about their way to the board, not about signatures and slots.
"""

import particle_boot
from particle.ota.bootrecord import BootRecord
from particle.ota.staging import Staging
from particle.updating import Updating

_slots = Updating._slots


def install(root):
    """Let boards whose files are in `root` be such boards."""
    particle_boot.root = root
    particle_boot.record = BootRecord(root)
    Updating._slots = lambda self, root: Staging(root, self._image)


def remove():
    """Put back what `install` replaced."""
    particle_boot.root = particle_boot.record = None
    Updating._slots = _slots
