"""What the boot stage does before a new application of 60 kB runs; before it, so in one piece."""

import particle_boot
from particle.ota.bootrecord import BootRecord
from slot_files import install

_ROOT = "/build/pt"
_FILES = {"app.mpy": bytes(20000), "lib/a.mpy": bytes(20000), "lib/b.mpy": bytes(20000)}


def cases():
    """Give the first boot of a trial, one that reads all files once a day, and a usual one."""
    particle_boot.root = _ROOT
    kept = install(_ROOT + "/a", 1, _FILES)
    BootRecord(_ROOT).use(0, 1, 0, kept)
    digest = install(_ROOT + "/b", 2, _FILES)
    BootRecord(_ROOT).hand_off(1, 2, digest)
    yield "boot_trial", lambda: particle_boot.choose(BootRecord(_ROOT))
    record = BootRecord(_ROOT)
    record.confirm(0)
    yield "boot_daily", lambda: particle_boot.choose(BootRecord(_ROOT), True)
    yield "boot_usual", lambda: particle_boot.choose(BootRecord(_ROOT))
