"""Starts the unix port as MicroPython's ESP32 port starts: its file system is what was flashed.

Mounted at "/", with the block size and defaults of `esp32.Partition`; `sys.path` as there; a ROMFS
at /rom. From the host come only the modules of a board that the unix port lacks, and the program.
"""

import os
import sys

import _sim
import vfs

import __main__

_BLOCK = 4096


class Partition:
    """A block device like `esp32.Partition`, in memory."""

    def __init__(self, data):
        self._data = bytearray(data)

    def readblocks(self, block, buffer, offset=0):
        """Fill `buffer`."""
        at = block * _BLOCK + offset
        buffer[:] = memoryview(self._data)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        """Write; without `offset` whole blocks, erased first."""
        at = block * _BLOCK + (offset or 0)
        self._data[at : at + len(buffer)] = buffer

    def ioctl(self, op, argument):
        """Answer 4 block count, 5 block size; 6 erases a block."""
        if op == 4:
            return len(self._data) // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            at = argument * _BLOCK
            self._data[at : at + _BLOCK] = b"\xff" * _BLOCK
        return 0


def start():
    """Mount what was flashed and run the program of the test."""
    files, rom = _sim.read("vfs.bin"), _sim.read("romfs.bin")
    program = _sim.read("program.py")
    vfs.mount(vfs.VfsPosix(os.getenv("SIM_MODULES")), "/sim", readonly=True)
    vfs.umount("/")
    vfs.mount(Partition(files), "/")
    path = ["", "/sim", ".frozen", "/lib"]
    if rom:
        vfs.mount(vfs.VfsRom(rom), "/rom")
        path += ["/rom", "/rom/lib"]
    os.chdir("/")
    sys.path[:] = path
    _sim.tell("up")
    exec(compile(program, "main.py", "exec"), __main__.__dict__)


start()
