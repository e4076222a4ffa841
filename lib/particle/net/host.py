"""The link of a host that is already on a network (DESIGN 5, net)."""

from micropython import const

from .sockets import Sock

_READY = const(4)


class HostLink:
    """A network that somebody else brings up: the unix port, Ethernet, a modem with its own stack.

    dns: "address[:port]" of a name server; without it the host's resolv.conf is read.
    """

    kind = "host"
    error = None

    def __init__(self, dns=None):
        self._dns = dns

    def up(self):
        """Do nothing: the host's network is up."""

    def down(self):
        """Do nothing: the host's network stays up."""

    def step(self, now):
        """Return READY."""
        return _READY

    def deadline(self):
        """Return None: nothing is ever due."""

    def info(self):
        """Return (ip, mask, gateway, dns); parts that are not known are None."""
        if self._dns is None:
            self._dns = "127.0.0.1"
            try:
                with open("/etc/resolv.conf") as f:
                    for line in f:
                        part = line.split()
                        if len(part) > 1 and part[0] == "nameserver":
                            self._dns = part[1]
                            break
            except OSError:
                pass
        return None, None, None, self._dns

    def signal(self):
        """Return None: a host has no radio."""

    def open(self, kind):
        """Return a new `Sock` for "udp" or "tcp"."""
        return Sock(kind)
