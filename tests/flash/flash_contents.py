"""What a flashed chip must have in it, told by others: esp-idf-defs and littlefs-python."""

import struct

from esp_idf_defs import ImageMetadata, OtaDataSelectEntry, OtaImageState, PartitionTable
from littlefs import LittleFS

from flash.mock_board import esptool
from particle_tools import packing
from particle_tools.boards import catalogue, esp32


def read(board, chip, folder, regions):
    """Return what the real esptool reads: name -> bytes; of erased ends only one block."""
    found = {}
    for region in regions:
        out = folder / "read.bin"
        esptool(board.port, chip, "read-flash", region["offset"], region["read"], out)
        found[region["name"]] = out.read_bytes()
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


def library(*names):
    """Return the files of components below /lib."""
    parts = [packing.contents(name) for name in names]
    return {f"/lib/{name}": data for part in parts for name, data in part.items()}
