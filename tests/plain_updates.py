"""A boot stage that has chosen the application, and updates that go into one plain file: for what
is about their way to the board, not about signatures and slots. Or into slots, all the same.
"""

import sys

import particle.updating  # noqa: F401
import particle_boot
from particle.ota.bootrecord import BootRecord
from particle.ota.staging import Staging

# MicroPython does not import a module with `from particle import`: that has a __getattr__
updating = sys.modules["particle.updating"]
_target = updating.target


def install(root, slots=False):
    """Let boards whose files are in `root` be such boards."""
    particle_boot.root = root
    particle_boot.record = BootRecord(root)
    updating.target = _target if slots else _plain


def remove():
    """Put back what `install` replaced."""
    particle_boot.root = particle_boot.record = None
    updating.target = _target


def _plain(client, board, root, image, boot):
    _target(client, board, root, image, boot)  # what that refuses is refused
    return Staging(root, image)
