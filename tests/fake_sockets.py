"""`socket` and `select` in memory: connections as a test wants them, without waiting."""

SOCK_STREAM = 1
SOCK_DGRAM = 2
AF_INET = 2
SOL_SOCKET = 1
SO_REUSEADDR = 2
POLLIN = 1


class Peer:
    """One end of a connection. window: bytes that it takes until `read` makes room again."""

    def __init__(self, address="192.168.0.2", window=5000):
        self.address = address
        self.sent = bytearray()  # by the peer, not read by the server yet
        self.got = bytearray()
        self.window = window
        self.closed = None  # "server" or "reset": who ended it
        self.half = False  # the peer sends no more

    # the test's side

    def send(self, data):
        """Send to the server."""
        self.sent += data

    def leave(self):
        """Vanish: whatever the server does fails."""
        self.closed = "reset"

    # the server's side

    def setblocking(self, on):
        """Check that nobody blocks."""
        assert not on

    def readinto(self, buf):
        """Do as MicroPython does."""
        if self.closed:
            raise OSError(104)
        n = min(len(buf), len(self.sent))
        if not n:
            return 0 if self.half else None
        buf[:n] = self.sent[:n]
        self.sent = self.sent[n:]
        return n

    def write(self, data):
        """Take what fits."""
        if self.closed:
            raise OSError(104)
        n = min(len(data), self.window)
        self.window -= n
        self.got += bytes(data[:n])
        return n or None

    def close(self):
        """End it; what was not read turns it into a reset."""
        if not self.closed:
            self.closed = "reset" if self.sent else "server"


class Net:
    """Stands in for both modules of one server; `queue` has the peers that wait for `accept`."""

    AF_INET = AF_INET
    SOCK_STREAM = SOCK_STREAM
    SOL_SOCKET = SOL_SOCKET
    SO_REUSEADDR = SO_REUSEADDR
    POLLIN = POLLIN

    def __init__(self):
        self.queue = []
        self.bound = None
        self.open = 0
        self.socket = lambda *kind: self._made()

    def _made(self):
        self.open += 1
        return self

    def getaddrinfo(self, host, port):
        """Return the address as it is."""
        return [(2, 1, 0, "", (host, port))]

    def poll(self, *timeout):
        """Be the poller, and poll: there is something as long as somebody waits."""
        return [(self, 1)] * bool(self.queue) if timeout else self

    def bind(self, address):
        """Note where it listens."""
        self.bound = address

    def accept(self):
        """Return the next peer."""
        if not self.queue:
            raise OSError(11)
        peer = self.queue.pop(0)
        return peer, (peer.address, 50000)

    def ignore(self, *_):
        """Do nothing."""

    setsockopt = listen = setblocking = register = ignore

    def close(self):
        """Listen no more."""
        self.open -= 1
