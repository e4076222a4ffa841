"""UF2 boards: images made by uf2utils, copied to a drive that takes blocks as bootloaders do."""

import random
import threading
import time

import pytest
from uf2utils.block import DataBlock
from uf2utils.header import Header

from particle_tools.boards import catalogue
from particle_tools.cli import main
from particle_tools.flash import uf2

LIMIT = 30  # seconds
RP2040, RP2350, NRF52840, ABSOLUTE = 0xE48BFF56, 0xE48BFF59, 0xADA52840, 0xE48BFF57
BANNER = b"MicroPython v1.27.0 on 2025-12-09; Raspberry Pi Pico W with RP2040\0"
CONTENT = (BANNER + random.Random(1).randbytes(20_000)).ljust(79 * 256, b"\0")
HAS_FAMILY, NOT_FLASH = 0x2000, 1
RP2_INFO = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
NRF_INFO = "UF2 Bootloader 0.9.2\nModel: Particle Xenon\nBoard-ID: nRF52840-Xenon-v1\n"


def block(payload, address, index, count, family=RP2040, flags=HAS_FAMILY):
    """Return one block."""
    header = Header(flags, address, len(payload), index, count, family)
    return bytes(DataBlock(payload, header).as_bytes)


def blocks(family=RP2040, start=0x10000000, content=CONTENT):
    """Return the blocks of an image."""
    parts = [content[at : at + 256].ljust(256, b"\0") for at in range(0, len(content), 256)]
    count = len(parts)
    return [block(p, start + 256 * i, i, count, family) for i, p in enumerate(parts)]


@pytest.fixture
def image(tmp_path):
    """Give `image(blocks)` -> file."""

    def make(parts):
        path = tmp_path / "firmware.uf2"
        path.write_bytes(b"".join(parts))
        return path

    return make


@pytest.fixture
def drive(tmp_path):
    """Give `drive(info, blocks)` -> a drive that goes away when it has so many blocks."""
    threads = []

    def make(info, count=None):
        folder = tmp_path / "DRIVE"
        folder.mkdir()
        (folder / uf2._INFO).write_text(info)
        file = folder / uf2._NAME

        def take():
            end = time.monotonic() + LIMIT
            while not file.exists() or file.stat().st_size < 512 * count:
                if time.monotonic() > end:
                    return
                time.sleep(0.005)
            taken.append(file.read_bytes())
            (folder / uf2._INFO).unlink()

        if count:
            threads.append(threading.Thread(target=take))
            threads[-1].start()
        return folder

    taken = make.taken = []
    yield make
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("title", "info", "parts"),
    [
        ("RPI_PICO_W", RP2_INFO, blocks()),
        # in front of an RP2350's image there is a block for another family
        (
            "RPI_PICO2_W",
            "Board-ID: RP2350\n",
            [block(b"\xef" * 256, 0x10FFFF00, 0, 2, ABSOLUTE), *blocks(RP2350)],
        ),
        ("PARTICLE_XENON", NRF_INFO, blocks(NRF52840, 0x26000)),
    ],
)
def test_copied(flash, drive, image, title, info, parts):
    """All blocks arrive, and the board starts."""
    path = image(parts)
    place = drive(info, len(parts))
    status, report, err = flash(title, "--port", place, "--firmware", path)
    assert (status, err) == (0, "") and report["firmware"] == "1.27.0"
    assert report["drive"] == info.partition("Board-ID: ")[2].strip()
    assert report["verified"] is False  # such a drive cannot be read back
    assert drive.taken == [path.read_bytes()]


@pytest.mark.parametrize(
    ("content", "install"), [(b"", " --install"), (b"particle/client.mpy", "")]
)
def test_what_is_next(drive, image, capsys, content, install):
    """The drive is gone then, and the library is there only if it is frozen in."""
    parts = blocks(content=BANNER + content)
    place = drive(RP2_INFO, len(parts))
    firmware = str(image(parts))
    assert main(["flash", "RPI_PICO_W", "--port", str(place), "--firmware", firmware]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"next       particle-mp provision --port PORT{install} --user NAME:PASSWORD"


def test_content_is_that_of_the_image(image):
    path = image(blocks())
    found = uf2.parse(path, path.read_bytes(), catalogue.find("RPI_PICO_W"))
    assert uf2.content(found) == CONTENT and min(found) == 0x10000000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: [*b[:3], b[3][:-1] + b"\0", *b[4:]], "damaged one (block 3 is none)"),
        (lambda b: [b"\0" + b[0][1:], *b[1:]], "damaged one (block 0 is none)"),
        (lambda b: [*b[:5], *b[6:]], "damaged one (block 5 is block 6 of 79)"),
        (lambda b: b[:-1], "damaged one (78 of 79 blocks, or some twice)"),
        (lambda b: [*b, b[-1]], "is block 78 of 79)"),
        (lambda b: [*b[:-1], b[-1][:100]], "are no blocks of 512)"),
        (lambda b: [block(b"x", 0x20000000, 0, 1)], "it begins at 0x20000000, RPI_PICO_W starts"),
        (
            lambda b: blocks(start=0x10000100),
            "it begins at 0x10000100, RPI_PICO_W starts from 0x1",
        ),
        (lambda b: blocks(start=0x10000010), "block 0 has 256 bytes for address 0x10000010)"),
        (
            lambda b: [block(b"x" * 300, 0x10000000, 0, 1)],
            "block 0 has 300 bytes for address 0x10000000)",
        ),
        (lambda b: [block(b"", 0x10000000, 0, 1)], "block 0 has 0 bytes for address 0x10000000)"),
        (
            lambda b: [block(b"x", 0x10000000, i, 2) for i in range(2)],
            "block 1 is the second one for address 0x10000000)",
        ),
        (lambda b: [block(b"x", 0x10000000, 0, 1, RP2350)], "family 0xe48bff59, rp2040 is 0xe48b"),
        (lambda b: [block(b"x", 0x10000000, 0, 1, 0, 0)], "no family, rp2040 is 0xe48bff56"),
        (lambda b: [block(b"x", 0x10000000, 0, 1, flags=NOT_FLASH)], "0 of 0 blocks"),
        (
            lambda b: [block(BANNER.replace(b"v1.27", b"v1.22"), 0x10000000, 0, 1)],
            "MicroPython 1.22",
        ),
        (lambda b: [block(b"x", 0x10000000, 0, 1)], "no version of MicroPython in it"),
    ],
)
def test_image_of_no_use(refused, image, change, says):
    path = image(change(blocks()))
    assert says in refused("RPI_PICO_W", "--port", "X", "--firmware", path)


@pytest.mark.parametrize(
    ("title", "family", "start", "end"),
    [
        ("RPI_PICO_W", RP2040, 0x10000000, 0x10000000 + (1200 << 10)),
        ("RPI_PICO2_W", RP2350, 0x10000000, 0x10000000 + (1536 << 10)),
        ("PARTICLE_XENON", NRF52840, 0x1000, 0xA4000),
        ("PARTICLE_BORON", NRF52840, 0x26000, 0xA4000),
    ],
)
def test_image_larger_than_its_place(refused, flash, image, title, family, start, end):
    """Up to the last byte in front of the files, or of a ROMFS, and not one more."""
    content = BANNER.ljust(end - start, b"\0")
    path = image(blocks(family, start, content))
    assert flash(title, "--firmware", path, "--dry-run")[0] == 0
    path = image(blocks(family, start, content + b"\0"))
    line = refused(title, "--firmware", path, "--dry-run")
    assert line == (
        f"{path}: it ends at {end + 256:#x}, the place for the firmware of {title} at {end:#x}:"
        " take one made for this board"
    )


def test_another_board(refused, drive, image):
    place = drive(NRF_INFO)
    line = refused("RPI_PICO_W", "--port", place, "--firmware", image(blocks()))
    assert line == (
        f"{place} is nRF52840-Xenon-v1, RPI_PICO_W has rp2040: nothing was written;"
        " `particle-mp boards` lists what there is"
    )
    assert [path.name for path in place.iterdir()] == [uf2._INFO]


@pytest.mark.parametrize(
    ("title", "is_", "wanted"),
    [
        ("PARTICLE_XENON", "nRF52840-Feather-revD", "nRF52840-Xenon"),
        ("PARTICLE_BORON", "nRF52840-Xenon-v1", "nRF52840-Boron"),
    ],
)
def test_another_board_with_the_same_chip(refused, drive, image, title, is_, wanted):
    place = drive(f"UF2 Bootloader 0.9.2\nModel: Some\nBoard-ID: {is_}\n")
    path = image(blocks(NRF52840, 0x26000))
    line = refused(title, "--port", place, "--firmware", path)
    assert line == (
        f"{place} is {is_}, {title} is {wanted}: nothing was written;"
        " `particle-mp boards` lists what there is"
    )
    assert [path.name for path in place.iterdir()] == [uf2._INFO]


def test_what_a_drive_says_is_shown(drive, image, capsys):
    """A Pico and a Pico W say the same: nobody but the user can tell."""
    parts = blocks()
    place = drive(RP2_INFO, len(parts))
    firmware = str(image(parts))
    assert main(["flash", "RPI_PICO_W", "--port", str(place), "--firmware", firmware]) == 0
    assert "drive      RPI-RP2\n" in capsys.readouterr().out


def test_no_drive(refused, image, tmp_path):
    line = refused("RPI_PICO_W", "--port", tmp_path, "--firmware", image(blocks()))
    assert "no drive of a bootloader" in line and "hold BOOTSEL" in line


def test_drive_that_takes_nothing(refused, drive, image, monkeypatch):
    monkeypatch.setattr(uf2, "_PATIENCE_S", 0.05)
    place = drive(RP2_INFO)
    line = refused("RPI_PICO_W", "--port", place, "--firmware", image(blocks()))
    assert line.startswith(f"{place} is still there: the board has not taken the image")


def test_unplugged_while_writing(refused, drive, image):
    place = drive(RP2_INFO)
    # where every write fails
    (place / uf2._NAME).symlink_to("/dev/full")
    line = refused("RPI_PICO_W", "--port", place, "--firmware", image(blocks()))
    assert line.startswith(f"{place}: No space left on device at 0 of 40448 bytes")
    assert line.endswith("the board is not complete: connect it again as a drive and repeat")
