"""The setup button (setup-protocols 1.1): held for 3 s it enters listening mode; while listening a
press of 3 to 8 s leaves it, and 10 s make the board forget its networks.
"""

from micropython import const

from ..errors import Error

_TICKS = const(0x3FFFFFFF)
_ENTER_MS = const(3000)
_LEAVE_MS = const(8000)
_CLEAR_MS = const(10000)
_CLEARED = const(2)  # parameter of NETWORK_CREDENTIALS


class Button:
    """A button; pin: `value()` is `level` while it is pressed. To be stepped every 50 ms.

    ports: those of setup/mode.py; of "client" it uses `listen(on)`.
    """

    def __init__(self, ports, pin, level):
        self._ports = ports
        self._pin = pin
        self._level = level
        self._since = None  # ticks of the press that goes on
        self._done = 0  # ms of what this press has done already

    def pushed(self, now):
        """Return for how many ms it is held, 0 when it is not."""
        return 0 if self._since is None else max(1, (now - self._since) & _TICKS)

    def step(self, now):
        """Look at it and do what it says."""
        ports = self._ports
        if self._pin.value() != self._level:
            held = self.pushed(now)
            if held:
                self._since = None
                ports["event"]("BUTTON_STATUS", held)
                if not self._done and _ENTER_MS < held < _LEAVE_MS and self._listening():
                    ports["client"].listen(False)
            return
        if self._since is None:
            self._since = now
            self._done = 0
            ports["event"]("BUTTON_STATUS", 0)
            return
        held = self.pushed(now)
        if held >= _ENTER_MS and not self._done and not self._listening():
            self._done = _ENTER_MS
            ports["client"].listen(True)
        elif held >= _CLEAR_MS and self._done < _CLEAR_MS and self._listening():
            self._done = _CLEAR_MS
            try:
                ports["wifi"].clear_credentials()
                ports["event"]("NETWORK_CREDENTIALS", _CLEARED)
            except Error as e:
                print("setup:", e)

    def _listening(self):
        return self._ports["mode"].listening()
