"""One MicroPython interpreter = one boot of the board, as a child that cannot outlive us."""

import ctypes
import functools
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from particle_tools import ROOT, interpreter

MODULES = ROOT / "boards" / "UNIX_SIM" / "modules"
LIB = ROOT / "lib"
BOOT = ROOT / "firmware" / "boot"
_PR_SET_PDEATHSIG = 1
# Linux: numbers of select, pselect6, poll, ppoll, nanosleep, clock_nanosleep, epoll_wait and
# epoll_pwait, and of read
_WAITING = {
    "x86_64": ((23, 270, 7, 271, 35, 230, 232, 281), 0),
    "aarch64": ((72, 73, 101, 115, 22), 63),
}
_BUSY_NS = 1_000_000_000  # that a program calculates before it counts as one that never waits


@dataclass
class Boot:
    """What one boot is told. mode: "run", "repl" or "raw"; wake: `machine.wake_reason()`."""

    cause: int
    mode: str = "run"
    wake: int = 0


class Interpreter:
    """A running interpreter. `control` is the read end of its messages.

    up: boot.py has begun; before that the interpreter can neither be interrupted nor fed.
    """

    def __init__(
        self,
        directory: Path,
        boot: Boot,
        *,
        lock: int,
        cut: str,
        scale: float,
        tty: int | None,
    ):
        self.control, theirs = os.pipe()
        os.set_blocking(self.control, False)
        env = {
            **os.environ,
            "TZ": "UTC0",
            "MICROPYPATH": f"{MODULES}:{LIB}:.frozen",
            "SIM_DIR": str(directory),
            "SIM_MODULES": str(MODULES),
            "SIM_LIB": str(LIB),
            "SIM_BOOT": str(BOOT),
            "SIM_CONTROL": str(theirs),
            "SIM_CAUSE": str(boot.cause),
            "SIM_WAKE": str(boot.wake),
            "SIM_MODE": boot.mode,
            "SIM_CUT": cut,
            "SIM_SCALE": repr(scale),
            "SIM_DNS": _name_server(),
        }
        argv = [*_command(), *(() if boot.mode == "run" else ("-i",))]
        self._process = subprocess.Popen(
            # the first place to look for modules would be the folder: files of the user's
            [*argv, "-c", "import sys\ndel sys.path[0]\n__import__('_boot')"],
            stdin=subprocess.DEVNULL if tty is None else tty,
            stdout=tty,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=directory,
            # a Ctrl-C in the terminal is for the supervisor
            start_new_session=True,
            pass_fds=(theirs, lock),
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  there are no threads here
        )
        os.close(theirs)
        self.pid = self._process.pid
        self.up = False
        self._messages = b""
        self._asked: int | None = None

    def messages(self) -> list[str]:
        """Return the lines that arrived on the control pipe."""
        try:
            while chunk := os.read(self.control, 4096):
                self._messages += chunk
        except BlockingIOError:
            pass
        *lines, self._messages = self._messages.split(b"\n")
        return [line.decode() for line in lines]

    def poll(self) -> int | None:
        """Return the exit status as `subprocess` does, None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Take the power away."""
        self._process.kill()
        self._process.wait()

    def interrupt(self) -> bool:
        """Raise KeyboardInterrupt in the code that runs; False if it takes no interrupt now.

        Then ask again. It is raised where the code waits, as long as it does now and then: a board
        raises it between two steps, this interpreter inside the signal, and what was half done is
        damaged, a garbage collection for one.
        """
        # it stands still between the look and the signal, which would else be its end when it
        # comes to its prompt just then
        self._process.send_signal(signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            taken = self.interruptible() and (self._waits() or self._never_waits())
            if taken:
                self._asked = None
                self._process.send_signal(signal.SIGINT)
        except ChildProcessError:
            return False  # it has ended
        finally:
            self._process.send_signal(signal.SIGCONT)
        return taken

    def _waits(self) -> bool:
        # it stands still; where that cannot be seen it counts as waiting
        waiting, read = _WAITING.get(platform.machine(), ((), None))
        try:
            with open(f"/proc/{self.pid}/syscall") as call:
                words = call.read().split()
        except OSError:
            return True
        if not waiting or len(words) < 2:
            return not waiting
        number = int(words[0])
        return number in waiting or (number == read and int(words[1], 16) == 0)

    def _never_waits(self) -> bool:
        # time of the processor, which a busy host may give to others
        try:
            with open(f"/proc/{self.pid}/schedstat") as spent:
                now = int(spent.read().split()[0])
        except OSError:
            now = time.monotonic_ns()
        if self._asked is None:
            self._asked = now
        return now - self._asked > _BUSY_NS

    def interruptible(self) -> bool:
        """Return whether Ctrl-C is an interrupt now, not a character (micropython.kbd_intr)."""
        try:
            with open(f"/proc/{self.pid}/status") as status:
                for line in status:
                    if line.startswith("SigCgt:"):
                        return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Free the pipe."""
        os.close(self.control)


@functools.cache
def _command() -> list[str]:
    return interpreter.find()


def _die_with(parent: int) -> Callable[[], None] | None:
    # SIGKILL of the supervisor is a power cut: the kernel then kills the interpreter too
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _name_server() -> str:
    try:
        with open("/etc/resolv.conf") as file:
            for line in file:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    return words[1]
    except OSError:
        pass
    return ""
