"""The board's start: mount the flash, run boot.py and main.py, leave the rest to the REPL.

Order and exceptions as on a board (MicroPython docs, reference/reset_boot):
a traceback goes to the console and the board ends at its prompt; SystemExit is
a soft reset; at a raw REPL main.py is not run. With slots it is a board whose
firmware has both files frozen (firmware/boot): those of the flash are not run.
"""

import io
import os
import sys

import _flash
import _sim
import vfs

import __main__

# where modules are that no update of the board changes
_FROZEN = ("/sim", ".frozen", "/rom", "/boot")
_STOCK = ("/sim", ".frozen", "/flash", "/flash/lib", "/rom")
# what only a boot stage leaves on a flash
_SLOTS = ("boot.rec", "a", "b")
_SOFT = "5"  # machine.SOFT_RESET
_FRAMES = ('  File "/sim/', '  File "' + os.getenv("SIM_MODULES"))


def _mount():
    bdev = _flash.Flash(os.getenv("SIM_CUT") or "")
    try:
        flash = vfs.VfsLfs2(bdev, readsize=_flash.READ, progsize=_flash.PAGE)
    except OSError:
        print("The filesystem appears to be corrupted.")
        _sim.die(1)
    for root, at in ((os.getenv("SIM_MODULES"), "/sim"), (os.getenv("SIM_LIB"), "/rom")):
        vfs.mount(vfs.VfsPosix(root), at, readonly=True)
    vfs.mount(flash, "/flash")
    firmware = _firmware()
    # from here on an application sees the board's files only
    vfs.umount("/")
    os.chdir("/flash")
    sys.argv[:] = []
    return firmware


def _firmware():
    # what the boot loader of an ESP32 or STM32 starts brings modules that are frozen there
    soft = os.getenv("SIM_CAUSE") == _SOFT
    if _sim.there("esp32.img"):
        import _esp32_flash

        data = _esp32_flash.start(_esp32_flash.Chip(), soft)
    elif _sim.there("stm32.img"):
        import _stm32

        data = _stm32.start(soft)
    else:
        return ()
    if not data:
        return ()
    vfs.mount(vfs.VfsRom(data), "/firmware")
    return ("/firmware",)


def _read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def _report(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    for line in text.getvalue().split("\n")[:-1]:
        # on a board what these frames do is no Python code
        if not any(line.startswith(part) for part in _FRAMES):
            print(line)


def _run(name, source):
    try:
        exec(compile(source, name, "exec"), __main__.__dict__)
        return 0
    except SystemExit:
        _sim.die(_sim.SOFT_RESET)
    except BaseException as error:
        _report(error)
    return 1


def _staged(mode):
    # whether the boot stage decides what runs; a new board's does where it has no program
    try:
        names = os.listdir("pt")
    except OSError:
        names = ()
    return any(name in names for name in _SLOTS) or mode == "run" and "main.py" not in os.listdir()


def _main(mode):
    firmware = _mount()
    # nothing of the flash is looked for before it is decided what runs
    sys.path[:] = firmware + _FROZEN
    __import__("machine")  # every boot starts with fresh pins
    _sim.tell("up")
    source = _sim.read("ram/main.py")  # the supervisor's --script
    staged = source is None and _staged(mode)
    if not staged or mode == "raw":
        sys.path[:] = ("",) + firmware + _STOCK
    boot = None if staged else _read("boot.py")
    if boot is not None:
        _run("boot.py", boot)
    if mode == "raw":
        return
    if staged:
        vfs.mount(vfs.VfsPosix(os.getenv("SIM_BOOT")), "/boot", readonly=True)
        source = "import particle_boot\nparticle_boot.start()"
    elif source is None:
        source = _read("main.py")
    failed = 0 if source is None else _run("main.py", source)
    if mode == "run":
        _sim.die(failed)


_main(os.getenv("SIM_MODE"))
