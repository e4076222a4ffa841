"""The setup button: how long it is held decides."""

from particle.errors import Error
from particle.setup.button import Button


class World:
    """A board with a button; `log` has what the button did."""

    on = False
    level = 1
    broken = False

    def __init__(self):
        self.log = []
        self.now = 0x3FFFFF00
        ports = {"mode": self, "client": self, "wifi": self}
        ports["event"] = lambda name, value: self.log.append((name, value))
        self.button = Button(ports, self, 0)

    def value(self):
        return self.level

    def listening(self):
        return self.on

    def listen(self, on):
        self.on = on
        self.log.append(on)

    def clear_credentials(self):
        if self.broken:
            raise Error(-225, "cannot write", "store")
        self.log.append("clear")

    def wait(self, ms):
        for _ in range(0, ms, 50):
            self.now = (self.now + 50) & 0x3FFFFFFF
            self.button.step(self.now)

    def press(self, ms):
        """Hold it for that long; return what was done."""
        self.log = []
        self.level = 0
        self.wait(ms)
        self.level = 1
        self.wait(100)
        assert self.button.pushed(self.now) == 0
        return [entry for entry in self.log if not isinstance(entry, tuple)]


def test_held():
    w = World()
    assert w.press(2900) == [] and w.log == [("BUTTON_STATUS", 0), ("BUTTON_STATUS", 2900)]
    assert w.press(3500) == [True]
    # the press that began it does not end it
    assert w.on
    assert w.press(2000) == [] and w.press(9000) == []
    assert w.press(5000) == [False] and not w.on
    assert w.press(9500) == [True]


def test_forget():
    w = World()
    # from pressed to forgotten in one go, once
    assert w.press(30000) == [True, "clear"]
    assert ("NETWORK_CREDENTIALS", 2) in w.log and w.on
    assert w.press(10500) == ["clear"] and w.on
    w.broken = True
    assert w.press(10500) == []
    # nothing is forgotten when listening ended meanwhile
    w.broken = w.on = False
    w.level = 0
    w.wait(3200)
    w.on = False
    w.log = []
    w.wait(10000)
    assert w.log == []


def test_how_long():
    w = World()
    assert w.button.pushed(w.now) == 0
    w.level = 0
    w.wait(50)
    assert w.button.pushed(w.now) == 1
    w.wait(950)
    assert w.button.pushed(w.now) == 950
