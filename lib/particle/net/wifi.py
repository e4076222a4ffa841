"""Wi-Fi as a Link (DESIGN 5, net): of the networks that a board knows the strongest one that lets
it in, again and again, and why not (setup-protocols 7.1, device-api 6).

The differences between the ports of MicroPython are in this file: numbers of states and kinds of
security, and the parameters of `WLAN`.
"""

from micropython import const

from ..errors import Error
from .sockets import Sock

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)
_NOT_ALLOWED = const(-130)
_TIMEOUT = const(-160)
_NOT_FOUND = const(-170)
_NETWORK = const(-230)

# states of a Link
_OFF = const(0)
_STARTING = const(1)
_JOINING = const(2)
_ADDRESS = const(3)
_READY = const(4)
_FAILED = const(5)

_JOIN_MS = const(20000)
_ADDRESS_MS = const(15000)
_LOOK_MS = const(100)  # between looks at the state
_STALE_MS = const(5000)  # for which a state may still be that of the last attempt (esp32)
_FIRST_MS = const(1000)  # pause after all of them failed; doubled each time
_LONGEST_MS = const(60000)
_TICKS = const(0x3FFFFFFF)

_SILENT = const(-999)  # dBm
_NEVER_HEARD = const(14)  # the last channel below 5 GHz

# what `status` gives besides the constants: esp32 210 to 212 no access point that fits, 204 and 15
# time-out of the handshake in which the password is checked
_ABSENT = const((210, 211, 212))
_WRONG = const((204, 15))

# what can be wrong, the worst first, which is what is told of several networks
_FAILURES = const(
    (
        ("password", _NOT_ALLOWED, "wrong password"),
        ("address", _TIMEOUT, "joined, but no address: is its DHCP server running?"),
        ("ipv6", _NOT_SUPPORTED, "joined, but it has IPv6 only: the cloud needs IPv4"),
        ("refused", _NETWORK, "the access point refused: its security, or too many stations"),
        (
            "eap",
            _NOT_SUPPORTED,
            "enterprise: this firmware has no EAP client (module _particle_eap)",
        ),
        ("5 GHz", _NOT_SUPPORTED, "on channel %d of 5 GHz, which this board cannot hear"),
        ("silent", _TIMEOUT, "no answer of the access point"),
        (
            "absent",
            _NOT_FOUND,
            "not found: out of reach, switched off, or on 5 GHz, which this board may not hear",
        ),
        ("none", _NETWORK, "no network is known: particle.wifi.set_credentials(ssid, password)"),
    )
)


def _after(now, ms):
    return now + ms & _TICKS


def _due(now, when):
    # nothing is further ahead than the longest pause: nobody may have looked for a week
    return (when - now - 1 & _TICKS) >= _LONGEST_MS


def security(authmode, masks):
    """Return (security, cipher) of Device OS for what `WLAN.scan` says.

    masks: it is bits of what was heard, as CYW43 has them, instead of a number (setup-protocols
    8.2).
    """
    if masks:
        if authmode < 2:
            return authmode, 0
        return (2, 3) if authmode < 4 else (3, 3 if authmode & 2 else 1)
    known = ((0, 0), (1, 0), (2, 3), (3, 1), (3, 3), (5, 1), (6, 1), (3, 1))
    return known[authmode] if authmode < len(known) else (255, 0)


class WifiLink:
    """A Link over Wi-Fi.

    networks: a `store.networks.Networks`. network: MicroPython's module. eap: a function
    `join(wlan, network, password)` of a firmware that can join enterprise networks.
    """

    kind = "wifi"

    def __init__(self, networks, network, eap=None):
        self._networks = networks
        self._network = network
        self.wlan = network.WLAN(network.STA_IF)
        if eap is None:
            try:
                from _particle_eap import join as eap
            except ImportError:
                pass
        self.eap = eap
        self._state = _OFF
        self._todo = []  # networks to be tried
        self.trying = None  # the network that is joined, or being joined
        self._static = False  # an address of our own was set
        self._next = 0  # ticks of the next look
        self._until = self._fresh = 0
        self._last = None  # state before this attempt
        self._pause = _FIRST_MS
        self._why = {}  # kind of failure -> the first network that had it, of this round
        self.error = None
        self.why = None  # kind of failure that `error` tells of (_FAILURES)
        self.only = None  # SSID of the one network that may be joined

    def up(self):
        """Begin to look for a network, unless that is going on."""
        if self._state == _OFF:
            self._state = _STARTING
            self._pause = _FIRST_MS
            self._next = None

    def down(self):
        """Leave the network and switch the radio off."""
        if self._state != _OFF:
            self._state = _OFF
            self.trying = None
            try:
                self.wlan.disconnect()
            except OSError:
                pass  # it was not on
            self.wlan.active(False)

    def deadline(self):
        """Return the ticks of the next look, None when there is none."""
        return None if self._state == _OFF else self._next

    def step(self, now):
        """Look how far it got; return the state. A look around takes the radio 2 to 3 s.

        That is done only when more than one network is known, and before any of them is tried.
        """
        if self._state == _OFF or self._next is not None and not _due(now, self._next):
            return self._state
        self._next = _after(now, _LOOK_MS)
        try:
            if self._state in (_STARTING, _FAILED):
                self._begin(now)
            elif self._state == _READY:
                if not self.wlan.isconnected():
                    self._todo = [self.trying]  # the one that worked, without a look around
                    self._try(now)
            else:
                self._look(now)
        except OSError as e:
            # what the store or the driver says
            self.why = None
            self.error = e if isinstance(e, Error) else Error(_NETWORK, "Wi-Fi: %s" % e, "link")
            self._rest(now)
        return self._state

    def info(self):
        """Return (address, mask, gateway, DNS)."""
        return self.wlan.ifconfig()

    def signal(self):
        """Return the strength of the signal in dBm, None without a network."""
        try:
            return self.wlan.status("rssi") if self._state >= _ADDRESS else None
        except (OSError, TypeError, ValueError):
            return None  # a port that cannot tell

    def open(self, kind):
        """Return a new `Sock` for "udp" or "tcp"."""
        return Sock(kind)

    def scan(self):
        """Look around; return (ssid, bssid, channel, rssi, security, cipher, hidden) of each.

        The ids are those of Device OS. Takes 2 to 3 s. Raises OSError.
        """
        if not self.wlan.active():
            self.wlan.active(True)
        masks = self._masks()
        out = []
        for found in self.wlan.scan():
            ssid, bssid, channel, rssi, authmode = found[:5]
            how = security(authmode, masks)
            ssid = bytes(ssid).rstrip(b"\0")  # some drivers blank hidden names
            out.append((ssid, bytes(bssid), channel, rssi) + how + (not ssid,))
        return out

    def _masks(self):
        return self._network.STAT_GOT_IP == 3  # CYW43's

    # one round: every known network that may be there, the strongest first

    def _begin(self, now):
        self._why = {}
        self.wlan.active(True)
        try:
            self.wlan.config(reconnects=0)  # esp32: it is our turn to try again
        except (OSError, ValueError):
            pass
        hostname = self._networks.option("hostname")
        if hostname and hasattr(self._network, "hostname"):
            self._network.hostname(_text(hostname))
        todo = [n for n in self._networks if self.only in (None, n.ssid)]
        if not todo:
            self._why["none"] = None
        elif len(todo) > 1:
            heard = {}  # SSID -> dBm
            for found in self.scan():
                heard[found[0]] = max(found[3], heard.get(found[0], _SILENT))
            for i, n in enumerate(list(todo)):
                if n.ssid not in heard and not n.hidden:
                    todo.remove(n)
                    self._refuse(n, _absent(n))
                heard.setdefault(n.ssid, _SILENT - i)  # hidden ones come last, in their order
            todo.sort(key=lambda n: -heard[n.ssid])
        self._todo = todo
        self._try(now)

    def _try(self, now):
        # the next one, or the end of the round
        while self._todo:
            n = self.trying = self._todo.pop(0)
            if n.eap and not self.eap:
                self._refuse(n, "eap")
                continue
            self._state = _JOINING
            self._until = _after(now, _JOIN_MS)
            self._fresh = _after(now, _STALE_MS)
            self._join(n)
            return
        for why, code, text in _FAILURES:
            if why in self._why:
                n = self._why[why]
                if n:
                    text = text % n.channel if "%" in text else text
                    text = "%s: %s" % (_text(n.ssid), text)
                self.why = why
                self.error = Error(code, text, "link")
                break
        self._rest(now)

    def _rest(self, now):
        self._state = _FAILED
        self._next = _after(now, self._pause)
        self._pause = min(self._pause * 2, _LONGEST_MS)

    def _join(self, n):
        try:
            self.wlan.disconnect()  # esp32 refuses to join while it joins
        except OSError:
            pass  # it was not on
        static = n.static
        if not static:
            kept = self._networks.option("static")
            if kept and not self._networks.option("flags"):  # set: DHCP all the same
                static = tuple(["%d.%d.%d.%d" % tuple(kept[i : i + 4]) for i in range(0, 16, 4)])
        if static:
            self.wlan.ifconfig(static)
        elif self._static:
            self.wlan.ifconfig("dhcp")
        self._static = bool(static)
        password = self._networks.password(n.ssid)
        if n.eap:
            self.eap(self.wlan, n, password)
            return
        self._last = self.wlan.status()
        options = {"bssid": n.bssid} if n.bssid else {}
        if self._masks() and n.security == 6:
            options["security"] = self._network.WLAN.SEC_WPA3
        self.wlan.connect(_text(n.ssid), password and _text(password), **options)

    def _look(self, now):
        network = self._network
        status = self.wlan.status()
        if status == self._last and not _due(now, self._fresh):
            status = None
        if self.wlan.isconnected():
            self._state = _READY
            self.error = None
            self._pause = _FIRST_MS
            try:
                self._networks.used(self.trying.ssid)
            except Error:
                pass  # then it is not the first the next time
        elif status == network.STAT_WRONG_PASSWORD or status in _WRONG:
            self._give_up(now, "password")
        elif status == network.STAT_NO_AP_FOUND or status in _ABSENT:
            self._give_up(now, _absent(self.trying))
        elif status == getattr(network, "STAT_CONNECT_FAIL", -1) or status in (203, 200):
            self._give_up(now, "refused")
        elif self._joined(status):
            if self._state == _JOINING:
                self._state = _ADDRESS
                self._until = _after(now, _ADDRESS_MS)
            elif _due(now, self._until):
                self._give_up(now, "ipv6" if self._ipv6() else "address")
        elif _due(now, self._until):
            self._give_up(now, "silent")

    def _joined(self, status):
        # with an access point, still without an address
        if self._masks():
            return status == 2
        try:
            return self.wlan.status("rssi") < 0
        except (OSError, TypeError, ValueError):
            return False

    def _ipv6(self):
        # an address that others can reach: not one that every interface makes itself
        try:
            found = self.wlan.ipconfig("addr6")
        except (AttributeError, OSError, ValueError):
            return False
        return any(not str(address[0]).lower().startswith("fe80") for address in found)

    def _give_up(self, now, why):
        self._refuse(self.trying, why)
        self._try(now)

    def _refuse(self, n, why):
        self._why.setdefault(why, n)


def _absent(n):
    return "5 GHz" if n.channel > _NEVER_HEARD else "absent"


def _text(octets):
    # drivers take bytes as well, but that a password is text is what all of them document
    try:
        return octets.decode()
    except (UnicodeError, ValueError):
        return octets
