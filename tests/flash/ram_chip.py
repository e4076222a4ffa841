"""Chips in memory in the place of esptool, for what is decided around it."""

from particle_tools.errors import UserError
from particle_tools.flash.esptool import Esptool, Found

MAC = bytes.fromhex("240ac4e29526")


class RamChip(Esptool):
    """A chip whose flash is a bytearray; `fails`: name of a method that ends with an error."""

    flash = bytearray()
    name = "esp32"
    fails = None

    def look(self):
        """Answer as the chip that the test wants."""
        return Found(self.name, MAC, len(self.flash))

    def read(self, offset, size):
        """Return a part of the flash."""
        assert offset + size <= len(self.flash)
        return bytes(self.flash[offset : offset + size])

    def write(self, regions, repeat):
        """Change the flash."""
        if self.fails == "write":
            raise UserError(f"gone: {repeat}")
        for region in regions:
            self.flash[region.offset : region.offset + len(region.data)] = region.data

    def verify(self, regions, repeat):
        """Compare with the flash."""
        for region in regions:
            assert self.read(region.offset, len(region.data)) == region.data, repeat
