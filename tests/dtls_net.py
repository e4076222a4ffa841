"""The network between a DTLS client and the scripted cloud, on a fake clock; both interpreters."""


class Net:
    """The fake clock and the datagrams between a client and a `Peer`.

    up, down: functions (index, datagram) -> list of (delay in ms, datagram), for faults.
    """

    LATENCY = 20

    def __init__(self, client, peer, up=None, down=None, now=0):
        self.client = client
        self.peer = peer
        self.up = up or self.fair
        self.down = down or self.fair
        self.now = now
        self.sent = []  # (now, "up" or "down", datagram) as they left
        self.flying = []  # (time, order, to the peer, datagram)
        self.events = []
        self.got = []
        self.say = []  # messages that are sealed as soon as there are keys
        self.slices = 0

    @staticmethod
    def fair(index, datagram):
        return [(0, datagram)]

    def launch(self, up, datagram):
        way = "up" if up else "down"
        index = len([s for s in self.sent if s[1] == way])
        self.sent.append((self.now, way, datagram))
        for delay, d in (self.up if up else self.down)(index, datagram):
            self.flying.append((self.now + self.LATENCY + delay, len(self.flying), up, d))

    def serve(self):
        c = self.client
        while True:
            e = c.event()
            if e is None:
                break
            self.events.append((self.now, e))
        if self.ready():
            while self.say and c.fits(len(self.say[0])):
                m = self.say.pop(0)
                c.out[c.head : c.head + len(m)] = m
                c.seal(len(m))
        while True:
            n = c.transmit(self.now)
            if n == 0:
                break
            self.launch(True, bytes(c.out[:n]))

    def ready(self):
        return any(e[1][0] == "OPEN" for e in self.events)

    def down_event(self):
        """Return stage and code of DOWN, None while there is none."""
        for _, e in self.events:
            if e[0] == "DOWN":
                return e[1:]
        return None

    def run(self, until=60000):
        """Let time pass until `until` ms or until nothing is left to happen."""
        self.client.start(self.now)
        return self.go_on(until)

    def go_on(self, until=60000):
        c = self.client
        for _ in range(5000):
            self.serve()
            t = c.deadline()
            times = [f[0] for f in self.flying]
            if t is not None:
                times.append(t)
            if not times or min(times) > until:
                return self
            self.now = max(self.now, min(times))
            if t is not None and t <= self.now:
                self.slices += 1
                c.tick(self.now)
            due = sorted([f for f in self.flying if f[0] <= self.now])
            self.flying = [f for f in self.flying if f[0] > self.now]
            for f in due:
                if f[2]:
                    for d in self.peer.receive(f[3]):
                        self.launch(False, d)
                else:
                    self.deliver(f[3])
        raise AssertionError("no end")

    def deliver(self, datagram):
        """Give the client one datagram and read the messages in it; adapters drop empty ones."""
        if not datagram:
            return
        c = self.client
        buf = bytearray(datagram)
        c.receive(buf, len(buf), self.now)
        self.serve()
        while True:
            n = c.message()
            if n == 0:
                break
            self.got.append(bytes(c.buf[c.at : c.at + n]))
        self.serve()

    def bytes(self):
        """Return UDP payload bytes and datagrams of both directions."""
        return sum([len(s[2]) for s in self.sent]), len(self.sent)
