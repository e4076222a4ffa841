"""What the simulated board's own modules know of the host (DESIGN 5, simulated board).

Only modules of this directory import it. The supervisor (particle_tools.sim)
hands over the board's directory, a control pipe and the facts of this boot in
the environment. Nothing here touches the file system that an application sees.
"""

import os

import vfs
from utime import sleep_us as _sleep_us
from utime import ticks_us as host_us

# exit codes; the supervisor reads them from the control pipe
RESET = 77
DEEPSLEEP = 78
BOOTLOADER = 79
POWER_CUT = 80
SOFT_RESET = 81

_SLICE_US = 10000

_DIR = os.getenv("SIM_DIR") + "/"
_host = vfs.VfsPosix()  # without a root: its rename() mixes up the names below one
scale = float(os.getenv("SIM_SCALE") or 1)  # board seconds in one second of the host
_control = open(int(os.getenv("SIM_CONTROL")), "wb")  # noqa: SIM115

chip = None  # `_flash` puts the board's flash here
# `_pin` puts its input check here while an interrupt is armed; it returns True when one fired
watch = None


def tell(text):
    """Send one line to the supervisor."""
    _control.write(text + "\n")


def die(code, detail=""):
    """End the interpreter at once: no handler, `finally` or `except:` runs any more."""
    tell("exit %d %s" % (code, detail))
    os.system("kill -9 $PPID")  # the parent of that shell is this process


def open_host(name, mode):
    """Open the host's file DIR/name."""
    return _host.open(_DIR + name, mode)


def read(name):
    """Return the content of the host's file DIR/name, None when it is not there."""
    try:
        with open_host(name, "rb") as f:
            return f.read()
    except OSError:
        return None


def there(name):
    """Return whether there is a file DIR/name on the host."""
    try:
        _host.stat(_DIR + name)
        return True
    except OSError:
        return False


def write(name, data):
    """Replace the host's file DIR/name in one step."""
    with open_host(name + ".new", "wb") as f:
        f.write(data)
    _host.rename(_DIR + name + ".new", _DIR + name)


def open_cell(name, size):
    """Open the host's file DIR/name to be changed in place; a new one is `size` zero bytes."""
    if read(name) is None:
        write(name, bytes(size))
    return open_host(name, "r+b")


def wait_us(us, wake=False):
    """Sleep `us` microseconds of board time; with `wake` return True early on a pin interrupt.

    us: None = without end (ends by an interrupt only).
    """
    if us is not None:
        us = max(int(us / scale), 0)
        if watch is None:
            _sleep_us(us)
            return False
        end = host_us() + us
    while True:
        left = _SLICE_US if us is None else end - host_us()
        if left <= 0:
            return False
        _sleep_us(min(left, _SLICE_US))
        if watch is not None and watch() and wake:
            return True
