"""What a client has besides its core: the verbs that are seldom needed, and their state."""


class More:
    """State of limiter, system and verbs of one client."""

    def __init__(self):
        self.recent = []  # ticks of the last attempts to publish
        self.window = self.sent = 0  # system events in this window of 65.536 s
        self.asked = {}  # what the cloud was asked for -> the waiting operation
        self.options = False, 30, False  # of disconnect
        self.vitals = None  # the job that sends them
        self.time_synced = 0, 0
        self.updates_enabled = True
        self.updates_forced = self.updates_pending = self.signal = False


def find(client, name):
    """Return what `client.NAME` is when the core does not have it. Raises AttributeError."""
    if name == "more":
        client.more = More()
        return client.more
    from .verbs import find as verb

    return verb(client, name)
