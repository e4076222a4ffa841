"""The two regions of the flash that hold an application as a ROMFS each (ota-and-boot 3.9, 4.8).

The profile says ROMFS = (module, first byte, bytes of each): one behind the other in what `Flash`
of the module can reach. "vfs": in the partition of the port that is for a ROMFS.
"""

from micropython import const

_EINVAL = const(22)

# requests of vfs.rom_ioctl, where that is all there is
_OBJECT = const(2)
_ERASE = const(3)
_WRITE = const(4)
_UNIT = const(6)


class Region:
    """One of them; number: 0 or 1. size, sector: bytes, of all and of what is erased at once.

    Nothing outside of it is touched, whatever the port would do. Raises OSError.
    """

    def __init__(self, board, number):
        name, at, self.size = board.ROMFS
        at += number * self.size
        module = __import__(name)
        self._rom = None
        self._at = 0
        if name == "vfs":
            self._at = at
            device = module.rom_ioctl(_OBJECT, 0)
            if not hasattr(device, "writeblocks"):  # stm32 and others: bytes to be read only
                self._rom = module.rom_ioctl
        else:
            device = module.Flash(start=at, len=self.size)
        self._device = device
        self.sector = self._rom(_UNIT, 0) if self._rom else device.ioctl(5, 0)
        if self._at % self.sector or self.size % self.sector:
            raise OSError(_EINVAL)

    def view(self):
        """Return its bytes, where they are in the flash."""
        return memoryview(self._device)[self._at : self._at + self.size]

    def read(self, at, view):
        """Fill a view with the bytes from `at` on."""
        view[:] = self.view()[at : at + len(view)]

    def erase(self, at):
        """Erase the sector that begins at byte `at`."""
        at = self._checked(at, self.sector)
        if self._rom:
            self._rom(_ERASE, 0, at, self.sector)
        else:
            self._device.ioctl(6, at // self.sector)

    def program(self, at, data):
        """Write what was erased; at and the length are multiples of what the flash asks for."""
        at = self._checked(at, len(data))
        if self._rom:
            self._rom(_WRITE, 0, at, data)
        else:
            self._device.writeblocks(at // self.sector, data, at % self.sector)

    def _checked(self, at, n):
        if not 0 <= at <= self.size - n:
            raise OSError(_EINVAL)
        return self._at + at
