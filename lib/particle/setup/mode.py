"""Listening mode: from a graceful goodbye to the cloud until everything that was opened is closed
(setup-protocols 1.1, 2.8; DESIGN decision 5).

While it lasts its *doors* are open, one per way to set the board up: files of this folder that are
installed, each with a class `Door`:

    Door(ports)     made anew for every listening mode
    open(now)       may raise OSError: that is printed, the other doors stay open
    step(now)       -> None | "connect" (credentials were given: leave, and connect) | "leave";
                    called every <= 20 ms; never blocks longer than 5 ms, but for `wifi.scan()`.
                    May raise OSError: that is printed and this door is closed
    close()         frees every socket and stream, after a failed `open` too; never raises

now: ticks_ms, as everywhere. ports, given to the constructor by the client (listening.py):

    "mode"    this Mode: a door may call `try_join`, `leave`, and read `join`
    "wifi"    `particle.wifi`: scan(), set_credentials(), credentials(), mac, link
    "store"   the board's files: read(name), write(name, data), remove(name)
    "client"  the board: `device_id`, `claimed()`, `claim(code)`, `modules()`, `version`, and what
              Mode needs: `quiet(now)` begins to leave cloud and network, `gone(now)` tells when
              it has, `ended(now, connect)` is called after the last door was closed
    "power"   `safe_mode(listen)`
    "event"   function(name, parameter): a system event of device-api 4.3
"""

from micropython import const

_TICKS = const(0x3FFFFFFF)
_UPDATE_MS = const(1000)  # between two events that tell how long it has been listening
_JOINED_MS = const(20000)  # after which nobody is waited for who would say that it is over
_READY = const(4)  # states of a Link
_FAILED = const(5)

# states
_OFF = const(0)
_CLOSING = const(1)  # the connection to the cloud is being ended
_OPEN = const(2)

DOORS = const(("serial", "softap"))


def passed(now, since):
    """Return the ms from `since` to `now`, two ticks."""
    return (now - since) & _TICKS


def installed():
    """Return the `Door` of every way to set the board up that this firmware has."""
    found = []
    for name in DOORS:
        try:
            found.append(__import__("particle.setup." + name, None, None, ("Door",)).Door)
        except ImportError as e:
            if name not in str(e):
                raise  # it is installed, something that it needs is not
    return found


class Mode:
    """One listening mode after the other. doors: classes of doors, without it all installed ones.

    timeout: seconds after which it ends by itself, 0 = never. join: what became of `try_join`:
    None, "joining", "joined", or the `Error` that says why not; kept until the next `enter`.
    """

    timeout = 600
    join = None

    def __init__(self, ports, doors=None):
        self.ports = ports
        ports["mode"] = self
        self._classes = doors
        self._state = _OFF
        self._doors = []
        self._connect = None  # None = go on; else leave at the next step
        self._since = self._told = self._found = 0

    def listening(self):
        """Tell whether it is entered and not left, also while the cloud is still told."""
        return self._state != _OFF

    def enter(self, now):
        """Begin: leave cloud and network, then open the doors. While listening it does nothing."""
        if self._state != _OFF:
            return
        self._state = _CLOSING
        self._connect = self.join = None
        self._since = self._told = now
        self.ports["client"].quiet(now)
        self.ports["event"]("WIFI_LISTEN_BEGIN", 0)

    def leave(self, now, connect=False):
        """End at the next step; connect: credentials were given, connect with them."""
        if self._state != _OFF:
            self._connect = connect or bool(self._connect)

    def step(self, now):
        """Do what is due; return whether it goes on."""
        if self._state == _OFF:
            return False
        client = self.ports["client"]
        if (
            self._connect is not None
            or self.timeout
            and passed(now, self._since) >= int(self.timeout * 1000)
        ) and (self._state == _OPEN or client.gone(now)):
            self._end(now)
            return False
        if passed(now, self._told) >= _UPDATE_MS:
            self._told = now
            self.ports["event"]("WIFI_LISTEN_UPDATE", passed(now, self._since))
        if self._state == _CLOSING:
            if client.gone(now):
                self._state = _OPEN
                for make in installed() if self._classes is None else self._classes:
                    door = make(self.ports)
                    self._doors.append(door)
                    try:
                        door.open(now)
                    except OSError as e:
                        self._lost(door, e)
            return True
        if self.join == "joining":
            link = self.ports["wifi"].link
            state = link.step(now)
            if state == _READY:
                self.join = "joined"
                self._found = now
            elif state == _FAILED:
                self.join = link.error
                link.down()
        elif self.join == "joined" and passed(now, self._found) >= _JOINED_MS:
            self.leave(now, True)  # the phone lost its way when the access point changed channels
        for door in list(self._doors):
            try:
                said = door.step(now)
            except OSError as e:
                self._lost(door, e)
                continue
            if said:
                self.leave(now, said == "connect")
        return True

    def abort(self, now):
        """Close everything at once, and do not connect: the program is being ended."""
        if self._state != _OFF:
            self._connect = False
            self._end(now)

    # the network that was given is tried while the doors stay open

    def try_join(self, now, ssid=None):
        """Begin to join that network, or any of the known ones; the result goes to `join`.

        A network that was joined and that nobody says `leave` about is stayed with after 20 s.
        """
        if self._state == _OPEN and self.join != "joining":
            link = self.ports["wifi"].link
            link.down()
            link.only = ssid
            link.up()
            self.join = "joining"

    def _lost(self, door, error):
        print("setup:", error)
        self._doors.remove(door)
        door.close()

    def _end(self, now):
        self._state = _OFF
        while self._doors:
            self._doors.pop().close()
        if self.join is not None:
            self.ports["wifi"].link.only = None
        connect = bool(self._connect)
        self.ports["event"]("WIFI_LISTEN_END", passed(now, self._since))
        self.ports["client"].ended(now, connect)
