"""What a flashed chip must have in it, told by others: esp-idf-defs and littlefs-python."""

import hashlib
import struct

from esp_idf_defs import ImageMetadata, OtaDataSelectEntry, OtaImageState, PartitionTable
from littlefs import LittleFS

from flash.mock_board import esptool
from particle_tools import packing
from particle_tools.boards import catalogue, esp32
from particle_tools.provisioning import library


def read(board, chip, folder, regions):
    """Return what the real esptool reads: name -> bytes, whose hashes are as reported.

    Erased blocks at the end of a region are not read, which would take a minute.
    """
    found, contents = {}, board.contents()
    for region in regions:
        start, size = region["offset"], region["bytes"]
        used = len(contents[start : start + size].rstrip(b"\xff"))
        out = folder / "read.bin"
        esptool(board.port, chip, "read-flash", start, min(used + 4096, size), out)
        found[region["name"]] = data = out.read_bytes().ljust(size, b"\xff")
        assert hashlib.sha256(data).hexdigest() == region["sha256"], region
    return found


def check_firmware(found, title, image):
    """Compare bootloader, table and application with the board's and the image's own."""
    board = catalogue.find(title)
    at = esp32.firmware_offset(board)
    bootloader = found["bootloader"]
    assert image.startswith(bootloader) and ImageMetadata.from_bytes(bootloader)
    table = PartitionTable.from_binary(found["partition-table"])
    assert table.to_csv() == esp32.partitions(board).to_csv()
    app = next(part for part in table if part.type == 0)
    assert found[app.name] == image[0x10000 - at :]
    assert ImageMetadata.from_bytes(found[app.name]).app_description.version == "v1.27.0"
    slots = [part for part in table if part.type == 0]
    for part in table.find_by_type("data", "ota"):
        data = found[part.name]
        entry = OtaDataSelectEntry.from_bytes(data[:32])
        assert (entry.ota_slot(len(slots)), entry.ota_state) == (0, OtaImageState.VALID)
        assert OtaDataSelectEntry.from_bytes(data[4096:4128]) is None


def mounted(data):
    """Return a littlefs as littlefs-python mounts it, with the geometry in its superblock."""
    # behind the name: a tag and the version of the format (littlefs SPEC.md, superblock)
    block, count = struct.unpack_from("<8xII", data, data.index(b"littlefs") + 8)
    fs = LittleFS(block_size=block, block_count=count, mount=False)
    fs.context.buffer[:] = data.ljust(block * count, b"\xff")
    fs.mount()
    return fs


def files(fs):
    """Return all files of a mounted file system: absolute name -> bytes."""
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path] = file.read()
    return found


def check_library(found, title, where):
    """Compare the library and the profile with those of this tree."""
    board = catalogue.find(title)
    profile = board.profile
    wanted = {}
    for name in library.components(profile["TRANSPORT"], profile["NET"]):
        wanted |= {f"/lib/{path}": data for path, data in packing.contents(name).items()}
    wanted["/lib/particle_board.mpy"] = packing.compile_module(
        board.folder / "modules/particle_board.py"
    )
    if where == "littlefs":
        there = files(mounted(found["vfs"]))
        there.pop("/lib/particle_variant.mpy", None)
        assert there == wanted
    else:
        # no reader of ROMFS but MicroPython's: the board starts from it
        assert all(data in found["romfs"] for data in wanted.values())
