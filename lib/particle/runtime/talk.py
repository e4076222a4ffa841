"""What a person reads who waits for `connect()` at the prompt, and in safe mode."""

from micropython import const

_PERIOD = const(0x3FFFFFFF)  # of ticks

_begun = 0, 0  # ticks and bytes when the attempt under way began
_open = False  # a line that is not ended
_resumed = False
_network = None  # the one that was told last


def tell(client, kind, a, b, now):
    """Print what an event of the connection (DESIGN 5, kinds) means for who waits."""
    global _begun, _open, _resumed
    conn = client._conn
    if kind == "DIAL":
        _begun = now, conn.tx + conn.rx
        _tell_network(client)
        # what becomes of it ends the line
        print("cloud: %s %s:%d ... " % (client._values["transport"], a, b), end="")
        _open = True
        return
    if kind == "DOWN":
        # the same line again and again would look as if it were stuck
        again = conn.deadline()
        ms = 0 if again is None else (again - now) & _PERIOD
        print(str(client.error) + ("; again in %d s" % ((ms + 500) // 1000) if ms else ""))
    elif kind == "OPEN":
        _resumed = a
        return
    elif kind == "READY":
        ms = (now - _begun[0]) & _PERIOD
        after = "%d ms" % ms if ms < 1000 else "%d.%d s" % (ms // 1000, ms // 100 % 10)
        how = "session resumed" if _resumed else "full handshake"
        print("%s (%s, %d bytes)" % (how, after, conn.tx + conn.rx - _begun[1]))
        print("connected as " + client.device_id)
    elif kind == "QUIET" and _open:
        print()  # nobody waits any more
    else:
        return
    _open = False


def _tell_network(client):
    global _network
    link = client._link
    if link.kind != "wifi":
        return
    found = client.wifi.ssid, link.info()[0]
    if found != _network:
        _network = found
        name = found[0]
        try:
            name = name.decode()
        except (AttributeError, ValueError):
            pass  # it was just left, or its name is no text
        print("wifi: %s %s" % (name, found[1]))
