"""Power, reset line and watchdog of a simulated board: starts the interpreter again and again.

What ends a boot, and what follows (codes as in boards/UNIX_SIM/modules/_sim.py):

    77 reset        boot with HARD_RESET
    78 deep sleep   wait for DIR/wake milliseconds or an armed pin, boot with DEEPSLEEP_RESET
    79 bootloader   as reset: there is no bootloader to stay in
    80 power cut    end, status 80 (`--cut N`)
    81 soft reset   boot with SOFT_RESET; also the prompt's Ctrl-D
    0, 1            main.py is over, or raised: end with that status when no serial port is there
    watchdog        kill, boot with WDT_RESET
"""

import json
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from particle_tools.sim.board_dir import BoardDir
from particle_tools.sim.interpreter_process import Boot, Interpreter
from particle_tools.sim.serial_port import SerialPort

PWRON, HARD, WDT, DEEPSLEEP, SOFT = range(1, 6)
_PIN_WAKE, _TIMER_WAKE = 2, 4
_RESET, _SLEEP, _BOOTLOADER, POWER_CUT, _SOFT_RESET = range(77, 82)
_BITTEN = 100  # by the watchdog
_FALLING = 2
_PIN_LOOK = 0.02  # seconds between two looks at radio.json while the board sleeps
_QUICK = 0.1  # seconds; boots that end sooner are slowed down, as a board's own start would


class Supervisor:
    """Runs the board in `board` until it ends by itself or is switched off.

    script: file that runs instead of main.py. cut: "N" or "N:TEAR". lock: descriptor that
    holds the directory. scale: board seconds per second.
    """

    def __init__(
        self,
        board: BoardDir,
        lock: int,
        *,
        script: Path | None = None,
        port: SerialPort | None = None,
        cut: str = "",
        scale: float = 1.0,
    ):
        self._board = board
        self._lock = lock
        self._script = script
        self._port = port
        self._cut = cut
        self._scale = scale
        self._off = False
        self._timeout: float | None = None  # of the watchdog, seconds of the host
        self._fed_at = 0.0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Switch the board on; return the status for the process."""
        restore = self._catch_signals()
        try:
            self._board.power_on()
            if self._script:
                (self._board.ram / "main.py").write_bytes(self._script.read_bytes())
            boot = Boot(PWRON, "repl" if self._port else "run")
            while True:
                started = time.monotonic()
                code, detail = self._one_boot(boot)
                if self._off:
                    return 0
                following = self._next(code, detail)
                if isinstance(following, int):
                    return following
                boot = following
                if time.monotonic() - started < _QUICK:
                    self._pause(_QUICK)
        finally:
            restore()
            self._selector.close()

    def _one_boot(self, boot: Boot) -> tuple[int, str]:
        # runs one interpreter to its end; returns (code, detail) as `_sim.die` gave them
        port = self._port
        child = Interpreter(
            self._board.path,
            boot,
            lock=self._lock,
            cut=self._cut,
            scale=self._scale,
            tty=port.board_tty() if port else None,
        )
        self._selector.register(child.control, selectors.EVENT_READ)
        if port:
            port.attach(child, self._selector, raw=boot.mode == "raw")
        ended: tuple[int, str] | None = None
        try:
            while not self._off:
                status = child.poll()
                for line in child.messages():
                    word, _, rest = line.partition(" ")
                    if word == "exit":
                        code, _, detail = rest.partition(" ")
                        ended = int(code), detail
                    elif word == "up":
                        child.up = True
                    elif word == "wdt":
                        self._timeout = int(rest) / 1000 / self._scale
                if status is not None:
                    return ended or (_SOFT_RESET if port and status >= 0 else status, "")
                wait = self._watch()
                if wait is not None and wait <= 0:
                    return _BITTEN, ""
                if port:
                    due = port.work()
                    wait = due if wait is None else wait if due is None else min(wait, due)
                self._wait(wait)
            return 0, ""
        finally:
            self._selector.unregister(child.control)
            child.kill()
            if port:
                port.detach()
            child.close()

    def _next(self, code: int, detail: str) -> Boot | int:
        # what follows a boot that ended with `code`: the next one, or the status to end with
        mode = "repl" if self._port else "run"
        if code == _SOFT_RESET:
            if self._port:
                self._port.say(b"MPY: soft reboot\r\n")
                mode = "raw" if self._port.raw else mode
            return Boot(SOFT, mode)
        if code in (0, 1) and self._bites_at_prompt():
            code = _BITTEN
        self._timeout = None  # switched off with the processor
        if self._port:
            self._port.raw = False
        if code in (_RESET, _BOOTLOADER):
            return Boot(HARD, mode)
        if code == _BITTEN:
            return Boot(WDT, mode)
        if code == _SLEEP:
            wake = self._sleep(detail)
            return 0 if self._off else Boot(DEEPSLEEP, mode, wake)
        if code in (0, 1, POWER_CUT):
            return 0 if self._off else code
        print(f"particle-mp sim: the interpreter died (status {code})", file=sys.stderr)
        return 1

    def _bites_at_prompt(self) -> bool:
        # a board that is done with main.py still has the watchdog that it armed
        while not self._off:
            wait = self._watch()
            if wait is None or wait <= 0:
                return wait is not None
            self._wait(wait)
        return False

    def _watch(self) -> float | None:
        # seconds until the watchdog bites, None while it is off
        if self._timeout is None:
            return None
        try:
            (fed,) = struct.unpack("<q", (self._board.ram / "fed").read_bytes())
            self._fed_at = fed / 1e6
        except (OSError, struct.error):
            pass  # between the creation of the file and the first stamp
        return self._fed_at + self._timeout - time.monotonic()

    def _sleep(self, wakers: str) -> int:
        # waits as a deep sleep does; returns the wake reason
        text = (self._board.path / "wake").read_text()
        end = time.monotonic() + int(text) / 1000 / self._scale if text else None
        armed = [tuple(map(int, pin.split(":"))) for pin in wakers.split(",") if pin]
        before = self._levels()
        while not self._off:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            if armed:
                left = _PIN_LOOK if left is None else min(left, _PIN_LOOK)
                now = self._levels()
                for pin, trigger in armed:
                    old, new = before.get(pin), now.get(pin)
                    if new != old and new is not None and trigger & (1 if new else _FALLING):
                        return self._woken(_PIN_WAKE)
                before = now
            self._wait(left)
        return self._woken(_TIMER_WAKE)

    def _woken(self, reason: int) -> int:
        if self._port:
            self._port.discard()
        return reason

    def _levels(self) -> dict[int, int]:
        try:
            pins = json.loads((self._board.path / "radio.json").read_text()).get("pins") or {}
            return {int(number): 1 if level else 0 for number, level in pins.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._off and (left := end - time.monotonic()) > 0:
            self._wait(left)

    def _wait(self, timeout: float | None) -> None:
        # until a file is ready, a signal came or `timeout` seconds are over
        for key, _ in self._selector.select(None if timeout is None else max(timeout, 0)):
            if key.fileobj is self._wakeup:
                try:
                    self._wakeup.recv(64)
                except BlockingIOError:
                    pass

    def _catch_signals(self):
        # a signal becomes a readable socket, so that `_wait` returns
        self._wakeup, theirs = socket.socketpair()
        self._wakeup.setblocking(False)
        theirs.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

        def switch_off(_number, _frame):
            self._off = True

        old = {s: signal.signal(s, switch_off) for s in (signal.SIGTERM, signal.SIGINT)}
        old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _n, _f: None)
        old_fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

        def restore():
            signal.set_wakeup_fd(old_fd)
            for number, handler in old.items():
                signal.signal(number, handler)
            self._selector.unregister(self._wakeup)
            self._wakeup.close()
            theirs.close()

        return restore
