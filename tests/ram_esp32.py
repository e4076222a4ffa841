"""The simulated ESP32 over a flash in memory: its bootloader and its `Partition`, in a test."""

import struct
import sys

from ram_flash import BLOCK, RamFlash

sys.path.append("boards/UNIX_SIM/modules")
import _bootloader  # noqa: E402
import _otadata  # noqa: E402
import _partition  # noqa: E402

sys.path.remove("boards/UNIX_SIM/modules")


class _Esp32:
    # the module `esp32`; another test may have one of its own
    Partition = _partition.Partition


_other = sys.modules.get("esp32")
sys.modules["esp32"] = _Esp32
from particle.ota import esp32_ab, firmware  # noqa: E402, F401  they keep what they have found

sys.modules.pop("esp32")
if _other:
    sys.modules["esp32"] = _other

bootloader = _bootloader
otadata = _otadata
partition = _partition
Partition = _partition.Partition

SLOT = 0x4000
OTADATA = 0xD000
OTA = (0x10000, 0x20000)
TABLE = (
    ("nvs", 1, 2, 0x9000, 0x4000),
    ("otadata", 1, 0, OTADATA, 0x2000),
    ("ota_0", 0, 0x10, OTA[0], SLOT),
    ("ota_1", 0, 0x11, OTA[1], SLOT),
)
_FAR = 0x1000  # blocks: the same flash may hold a file system before that


class Panic(BaseException):
    """The firmware was ended: nothing in it may catch that."""


class Chip:
    """The flash of an ESP32 in a `RamFlash`."""

    chip_id = 0

    def __init__(self, flash=None, partitions=TABLE):
        self.flash = flash or RamFlash({})
        if _FAR + 8 not in self.flash.data:
            self.flash.data[_FAR + 8] = table(partitions)

    def read(self, at, buf):
        view = memoryview(buf)
        while view:
            n = min(len(view), BLOCK - at % BLOCK)
            self.flash.readblocks(_FAR + at // BLOCK, view[:n], at % BLOCK)
            at += n
            view = view[n:]

    def program(self, at, data):
        view = memoryview(data)
        while view:
            n = min(len(view), BLOCK - at % BLOCK)
            self.flash.writeblocks(_FAR + at // BLOCK, view[:n], at % BLOCK)
            at += n
            view = view[n:]

    def erase(self, at):
        assert at % BLOCK == 0
        self.flash.ioctl(6, _FAR + at // BLOCK)

    def panic(self, text):
        raise Panic(text)

    # what a test does to it, or looks at, without an operation that counts

    def put(self, at, data):
        """Have these bytes in flash, as esptool would."""
        while data:
            block = _FAR + at // BLOCK
            cells = self.flash.data.setdefault(block, bytearray(b"\xff" * BLOCK))
            part = data[: BLOCK - at % BLOCK]
            cells[at % BLOCK : at % BLOCK + len(part)] = part
            at += len(part)
            data = data[len(part) :]

    def get(self, at, n):
        """Return bytes of the flash."""
        data = bytearray(n)
        self.read(at, data)
        return bytes(data)

    def states(self):
        """Return (sequence, state) of both records of otadata, None for one that is none."""
        found = otadata.read(self, OTADATA)
        return [(r.sequence, r.state) if r.whole() else None for r in found]

    def start(self):
        """Have the bootloader start a firmware; return the label of its partition."""
        partition.chip = self
        found = bootloader.start(self)
        partition.running = found and found[2]
        return found and found[4]


def table(partitions):
    """Return the block with a table of partitions."""
    data = b""
    for label, kind, subtype, at, size in partitions:
        data += struct.pack("<HBBII16sI", 0x50AA, kind, subtype, at, size, label.encode(), 0)
    return bytearray(data + b"\xff" * (BLOCK - len(data)))


def image(content=b"", chip=0):
    """Return a small image; what it holds does not matter to anybody."""
    import hashlib

    content += bytes(-len(content) % 4)
    data = struct.pack(
        "<BBBBI4sHBHH4sB", 0xE9, 1, 2, 0x20, 0x400D0020, bytes(4), chip, 0, 0, 0, b"", 1
    )
    data += struct.pack("<II", 0x3F400020, len(content)) + content
    data += bytes(15 - len(data) % 16)
    total = 0xEF
    for octet in content:
        total ^= octet
    data += bytes((total,))
    return data + hashlib.sha256(data).digest()
