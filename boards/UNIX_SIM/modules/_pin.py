"""`machine.Pin` of the simulated board: outputs in DIR/pins.json, inputs from DIR/radio.json.

radio.json may hold {"pins": {"0": 0}}: the level somebody outside drives. A pin
that is not driven follows its pull resistor, without one it reads 0.
Interrupts are soft ones: levels are compared whenever the board sleeps, polls
or reads an input.
"""

import json

import _sim
from micropython import const, schedule
from umachine import PinBase

_HIGHEST = const(48)

_modes = {}  # number -> [mode, pull, output latch, (handler, trigger, wake) or None, last level]
_raw = None
_levels = {}
_masked = False


def disable_irq():
    """Hold interrupts back; return the state for `enable_irq`."""
    global _masked
    state = not _masked
    _masked = True
    return state


def enable_irq(state=True):
    """Allow interrupts again when `state` says that they were allowed before."""
    global _masked
    _masked = not state
    if not _masked:
        _check()


def wakers(wake):
    """Return "number:trigger,..." of the armed pins that may wake the board from `wake`."""
    armed = [(n, p[3]) for n, p in sorted(_modes.items()) if p[3]]
    return ",".join("%d:%d" % (n, irq[1]) for n, irq in armed if irq[2] and irq[2] & wake)


def _external():
    global _raw, _levels
    raw = _sim.read("radio.json")
    if raw != _raw:
        try:
            pins = json.loads(raw or b"{}").get("pins") or {}
            _levels = {int(n): 1 if v else 0 for n, v in pins.items()}
            _raw = raw
        except (ValueError, AttributeError):
            pass  # half written: the next look finds it whole
    return _levels


def _level(number):
    mode, pull, latch = _modes[number][:3]
    if mode == Pin.OUT or (mode == Pin.OPEN_DRAIN and not latch):
        return latch
    outside = _external().get(number)
    return (1 if pull == Pin.PULL_UP else 0) if outside is None else outside


def _check():
    # True when an interrupt fired
    fired = False
    if _masked:
        return fired
    for number, pin in list(_modes.items()):
        if pin[3] is None:
            continue
        level = _level(number)
        edge = level - pin[4]
        pin[4] = level
        handler, trigger, _ = pin[3]
        if (edge > 0 and trigger & Pin.IRQ_RISING) or (edge < 0 and trigger & Pin.IRQ_FALLING):
            fired = True
            if handler:
                try:
                    schedule(handler, Pin(number))
                except RuntimeError:
                    pass  # the queue of a board overflows in the same way
    return fired


class _Irq:
    def __init__(self, number):
        self._number = number

    def __call__(self):
        irq = _modes[self._number][3]
        if irq and irq[0]:
            irq[0](Pin(self._number))

    def trigger(self, trigger=None):
        """Return the edges that fire, or change them and return what they were."""
        pin = _modes[self._number]
        old = pin[3][1] if pin[3] else 0
        if trigger is not None and pin[3]:
            pin[3] = (pin[3][0], trigger, pin[3][2])
        return old


class Pin(PinBase):
    """Pin(id, mode=-1, pull=-1, *, value=None): one of the pins 0-48 (docs, machine.Pin).

    Raises ValueError for a pin, mode or pull that does not exist.
    """

    IN = const(1)
    OUT = const(3)
    OPEN_DRAIN = const(7)
    PULL_DOWN = const(1)
    PULL_UP = const(2)
    IRQ_RISING = const(1)
    IRQ_FALLING = const(2)

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, alt=-1, hold=None):
        if isinstance(id, Pin):
            id = id._number
        if not isinstance(id, int) or not 0 <= id <= _HIGHEST:
            raise ValueError("invalid pin")
        self._number = id
        if id not in _modes:
            _modes[id] = [Pin.IN, None, 0, None, 0]
        if (mode, pull, value) != (-1, -1, None):
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, alt=-1, hold=None):
        """Set what is given; `value` is the output level, set before the mode changes."""
        pin = _modes[self._number]
        if mode not in (-1, Pin.IN, Pin.OUT, Pin.OPEN_DRAIN):
            raise ValueError("invalid pin mode")
        if pull not in (-1, None, Pin.PULL_UP, Pin.PULL_DOWN):
            raise ValueError("invalid pull")
        if value is not None:
            pin[2] = 1 if value else 0
        if mode != -1:
            pin[0] = mode
        if pull != -1:
            pin[1] = pull
        pin[4] = _level(self._number)
        _show()

    def value(self, x=None):
        """Return the level, 0 or 1, or set the output to the truth of `x`."""
        if x is None:
            if _sim.watch:
                _check()
            return _level(self._number)
        pin = _modes[self._number]
        x = 1 if x else 0
        if pin[2] != x:
            pin[2] = x
            _show()
        return None

    __call__ = value

    def on(self):
        """Set the output to 1."""
        self.value(1)

    def off(self):
        """Set the output to 0."""
        self.value(0)

    def toggle(self):
        """Change the output to the other level."""
        self.value(not _modes[self._number][2])

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False, priority=1):
        """Have `handler(pin)` called soon after an edge; None switches the interrupt off.

        wake: machine.SLEEP and/or machine.DEEPSLEEP, from which the edge wakes the board.
        """
        pin = _modes[self._number]
        if not trigger & 3 or trigger & ~3:
            raise ValueError("invalid trigger")
        pin[3] = (handler, trigger, wake) if handler or wake else None
        pin[4] = _level(self._number)
        _sim.watch = _check if any(p[3] for p in _modes.values()) else None
        return _Irq(self._number)

    def __repr__(self):
        return "Pin(%d)" % self._number


_NAMES = {Pin.IN: "IN", Pin.OUT: "OUT", Pin.OPEN_DRAIN: "OPEN_DRAIN"}


def _show():
    shown = {str(n): {"mode": _NAMES[p[0]], "value": p[2]} for n, p in _modes.items()}
    _sim.write("pins.json", json.dumps(shown))


_show()
