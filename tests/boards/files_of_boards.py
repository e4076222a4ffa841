"""Mounting, the first thing a firmware does; `test_file_systems` runs this under MicroPython."""

import os
import sys

import board_files
import vfs

from ram_flash import BLOCK, Cut, RamFlash

_AT = "/board"


class _Module:
    """A module of the port."""


def _unmounted(work):
    try:
        return work()
    finally:
        try:
            vfs.umount(_AT)
        except OSError:
            pass


def _mount(flash):
    return _unmounted(lambda: board_files.mount(flash, _AT, progsize=256))


def _write(flash):
    def work():
        assert board_files.mount(flash, _AT, progsize=256)
        os.mkdir(_AT + "/pt")
        with open(_AT + "/pt/config.json", "w") as f:
            f.write("{}")

    _unmounted(work)


def _content(data):
    return {block: bytes(cells) for block, cells in data.items()}


def test_blank_flash_is_formatted_once():
    flash = RamFlash()
    assert _mount(flash)
    made = flash.operations
    assert _mount(flash)
    assert flash.operations == made


def test_files_stay():
    flash = RamFlash()
    _write(flash)

    def work():
        assert board_files.mount(flash, _AT, progsize=256)
        assert os.listdir(_AT + "/pt") == ["config.json"]

    _unmounted(work)


def test_power_fails_in_the_first_start():
    whole = RamFlash()
    assert _mount(whole)
    for cut in range(1, whole.operations + 1):
        for tear in range(4):
            data = {}
            try:
                _mount(RamFlash(data, cut, tear))
            except Cut:
                pass
            assert _mount(RamFlash(data)), (cut, tear)


def test_damaged_files_are_not_formatted():
    data = {}
    _write(RamFlash(data))
    data[0] = bytearray(BLOCK)
    data[1] = bytearray(BLOCK)
    before = _content(data)
    flash = RamFlash(data)
    assert not _mount(flash)
    assert flash.operations == 0 and _content(data) == before


def test_something_else_is_not_formatted():
    data = {5: bytearray(b"photograph" + bytes(BLOCK - 10))}
    assert not _mount(RamFlash(data))
    assert list(data) == [5]


def _boot(name, folder, **modules):
    # run the firmware's own file with what the port would give it
    mounted = []
    for other, value in modules.items():
        sys.modules[other] = value
    sys.path.insert(0, "firmware/ports/" + folder)
    board_files.vfs = _Module()
    board_files.vfs.VfsLfs2 = vfs.VfsLfs2
    board_files.vfs.mount = lambda fs, where: mounted.append(where)
    try:
        __import__(name)
    finally:
        board_files.vfs = vfs
        sys.path.pop(0)
        for other in [name] + list(modules):
            sys.modules.pop(other, None)
    return mounted


def test_esp32_mounts_its_partition():
    port = _Module()
    port.bdev = RamFlash()
    assert _boot("_boot", "esp32", flashbdev=port) == ["/"]


def test_esp32_without_a_partition_goes_on():
    port = _Module()
    port.bdev = None
    assert _boot("_boot", "esp32", flashbdev=port) == []


def test_rp2_mounts_its_flash():
    port = _Module()
    port.Flash = RamFlash
    assert _boot("_boot", "rp2", rp2=port) == ["/"]


def test_nrf_formats_only():
    flash = RamFlash()
    port = _Module()
    port.Flash = lambda: flash
    assert _boot("_mkfs", "nrf", nrf=port) == []
    assert _mount(flash)
