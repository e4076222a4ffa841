"""Verbs of the client that are seldom needed, as functions of the client (device-api 13).

Loaded on first use; without this file the client has only what it needs to run.
"""

import json

from micropython import const

from .errors import Error
from .operation import Operation, end, in_task, now
from .runtime.limiter import full
from .runtime.rules import check, checked, known
from .session.messaging import add, diff

_INVALID_STATE = const(-210)
_USER = const(2)  # reason of a cloud disconnection (cloud-protocol 4.11)
_SESSION = const(1)  # kind of container
_METRICS = const(4)  # the describe flag of the vitals (cloud-protocol 4.2)
# settings that take effect without a new connection
_LATER = {"auto_connect", "connect_events", "limits"}


def find(client, name):
    """Return a value of `client`, or its verb of this name; raise AttributeError for none."""
    if name in _VALUES:
        return _VALUES[name](client)
    verb = globals().get(name)
    if verb is None or name not in _VERBS:
        raise AttributeError(name)
    return lambda *args, **kwargs: verb(client, *args, **kwargs)


def config(client, key=None, **values):
    """Return the setting `key`, all of them without one, or check and store `values`.

    A connection, or the attempt to get one, begins anew when the change concerns it.
    """
    if key:
        if key not in client._values:  # of a later version, too
            known(key)
        return client._values.get(key)
    changed = dict(client._values)
    if not values:
        return changed
    changed.update(checked(values))
    record = dict(changed)
    record["v"] = 1
    client._store.write("config.json", json.dumps(record).encode())
    client._values = changed
    if client._conn is not None and set(values) - _LATER:
        client._jobs[lambda t: _renew(client, t)] = now()
        client.process()  # at once; after a handler that calls this
    return None


def _renew(client, t):
    # inside process(): the old connection ends, what it was working for goes on with a new one
    conn = client._conn
    if hasattr(conn, "renew"):  # while listening there is none
        conn.renew()
        return
    wanted = conn.deadline() is not None or conn.stage() == "link"
    conn.close(t)
    client._events(t)
    unask(client)
    client._conn = client.error = None
    client._open()
    if not wanted:
        client._conn.close(t)


def unask(client):
    """Want no answer of the name server any more."""
    if client._dns:
        client._dns.close()
        client._dns = None


def server(client, host, port=None, *, key=None):
    """Store whom to connect to, from now on; key: the server's public key, DER bytes.

    Raises `ConfigError`, and ValueError when `key` is no public key of the transport.
    """
    values = {"server": host}
    if port:
        values["port"] = port
    values = checked(values)
    if key:
        if client._values["transport"] == "udp":
            from .store.keys_ec import ec_public

            ec_public(key)
            client._store.write("server.ec.der", key)
        else:
            from .crypto.der import rsa_public

            rsa_public(key)
            client._store.write("server.rsa.der", key)
    config(client, **values)


def disconnected(client):
    """Return True while there is no connection to the cloud."""
    return not client.connected()


def disconnect(client, *, graceful=False, timeout=30, clear_session=False):
    """Close the connection and stay off; graceful: say goodbye first (at most `timeout` s).

    A handler that calls this is finished first: a function answers its caller.
    """
    end(0, timeout)
    if not client._busy:
        _leave(client, graceful, timeout, clear_session)
        return
    wanted = client._connecting

    def later(t):
        _leave(client, graceful, timeout, clear_session)
        if client._connecting is not wanted:  # the handler went on with connect()
            client._conn.start(t)

    client._jobs[later] = now()


def _leave(client, graceful, timeout, clear_session):
    client._quiet()
    if client._conn is None:
        return
    more = client.more
    free = not (in_task() or client._busy)  # there it ends later
    if more.trial:
        more.trial.leave(free)
    graceful = graceful or more.options[0]
    unask(client)
    client._conn.close(now(), _USER if graceful else None)
    client.process()
    if graceful and free:
        client.wait_until(lambda: client._sock is None, min(timeout, more.options[1]))
    if clear_session or more.options[2]:
        client.clear_session()


def clear_session(client):
    """Forget the session with the cloud: the next connection begins with a handshake."""
    client._store.erase(_SESSION)
    if hasattr(client._conn, "forget"):
        client._conn.forget()


def set_disconnect_options(client, *, graceful=False, timeout=30, clear_session=False):
    """Set what `disconnect` does when it is not told, and a reset or sleep of the system."""
    end(0, timeout)
    client.more.options = graceful, timeout, clear_session


def unsubscribe(client, prefix=None):
    """Remove the handlers of `prefix`, or all."""
    gone = [h[0] for h in client._handlers if prefix in (None, h[0])]
    client._handlers = [h for h in client._handlers if h[0] not in gone]
    conn = client._conn
    if conn:  # the cloud forgets a filter at the next handshake (cloud-protocol 4.4)
        system, user = conn._filters[:2], conn._filters[2:]
        conn._filters = system + [f for f in user if f[0] not in gone]


def events(client, prefix=""):
    """Return an asynchronous iterator over events, each with name, data and content_type."""
    from .runtime.stream import EventStream

    return EventStream(client, prefix)


def can_publish(client, size=0):
    """Return True when an event with `size` bytes of data would be taken now."""
    return (
        client.connected()
        and size <= int(client._values["limits"])
        and client._conn.room() > 0
        and not full(client.more.recent, now())
    )


def flush(client, timeout):
    """Wait until every event has been sent, and acknowledged if asked for; False if not.

    Inside a task await it.
    """
    limit = end(now(), timeout)

    def done():
        queue = client.more.queue
        return not (client._operations or client._stuck or queue and queue.waiting())

    return _flushed(client, done, limit) if in_task() else client._wait(done, limit)


async def _flushed(client, done, limit):
    while not done():
        if limit is not None and diff(now(), limit) >= 0:
            return False
        client.process()
        await client._pause()
    return True


def keep_alive(client, seconds=None):
    """Return the seconds between pings, or set them for this client."""
    if seconds is not None:
        client._values["keep_alive"] = check("keep_alive", seconds)
        if client._conn:
            client._conn.keep_alive = seconds
    if client._conn:
        return client._conn.keep_alive
    return client._values.get("keep_alive", 25 if client._values["transport"] == "udp" else 15)


class _Answer(Operation):
    # something that the cloud is asked for; outside a task the verb returns it at once
    def result(self):
        super().result()
        return self.value


def _ask(client, key, send, timeout=10):
    if not client.connected():
        raise Error(_INVALID_STATE, "not connected", "cloud")
    op = _Answer(client, timeout, key)
    client.more.asked[key] = op
    send(now())
    if in_task():
        return op
    if not op.wait(timeout):
        op._late()
    return op.result()


def _named(client, name, timeout):
    def send(t):
        client.ops += 2  # documented as two operations, request and answer (device-api 5)
        client._conn.publish(t, name, b"", 0, None)

    return _ask(client, name, send, timeout)


def get_name(client, timeout=10):
    """Return the name that this device has at the cloud; inside a task await it."""
    return _named(client, "particle/device/name", timeout)


def get_ip(client, timeout=10):
    """Return the address that the cloud sees this device at; inside a task await it."""
    return _named(client, "particle/device/ip", timeout)


def get_random(client, timeout=10):
    """Return 40 random characters from the cloud; inside a task await it."""
    return _named(client, "particle/device/random", timeout)


def sync_time(client):
    """Set the clock from the cloud and return the Unix time; inside a task await it."""
    return _ask(client, "time", client._conn.time if client._conn else None)


def sync_time_pending(client):
    """Return True while an answer to a time request is waited for."""
    return client._conn is not None and client._conn.time_token is not None


def time_synced_last(client):
    """Return (ticks_ms, Unix time) of the last answer; (0, 0) when there was none."""
    return client.more.time_synced


def publish_vitals(client, period=None):
    """Send the vitals now, and every `period` s from now on; 0 ends the repetition."""
    from .runtime import vitals

    end(0, period)

    def send(t):
        if client.connected():
            client._conn._post(_METRICS, vitals.encode(client), None)
        if period:
            client._jobs[send] = end(t, period)

    if period is not None:
        # the repetition that was asked for before ends
        client._jobs.pop(client.more.vitals, None)
        client.more.vitals = send
    if not client.connected():
        raise Error(_INVALID_STATE, "not connected", "cloud")
    send(now())


def usage(client):
    """Return what was used since start: data operations, bytes, handshakes, pings, events."""
    conn = client._conn
    out = {
        "ops": client.ops,
        "bytes_tx": conn.tx if conn else 0,
        "bytes_rx": conn.rx if conn else 0,
        "handshakes": conn.handshakes if conn else 0,
        "resumes": getattr(conn, "resumes", 0),
        "pings": conn.pings if conn else 0,
        "limited": client.limited,
        "drops": client.drops,
        "full_handshakes": client.more.reasons,  # why -> how often
    }
    if client.more.queue:
        out.update(client.more.queue.counters())
    else:
        out.update({"queued": 0, "sent": 0, "acknowledged": 0, "dropped": 0})
    return out


def diagnose(client):
    """Return a list of (stage, ok, text): ok True, False, or None where it did not get to."""
    from .runtime.diagnose import diagnose as look

    if client._values["transport"] == "udp":
        from .store.keys_ec import EcKeys as Keys
    else:
        from .store.keys import RsaKeys as Keys
    return look(client, Keys)


def state(client):
    """Return the text of `repr(particle.cloud)`."""
    v = client._values
    up = "not connected"
    if client.connected():
        up = "connected for %d s" % (add(now(), -client._conn._since) // 1000)
    text = "<Cloud %s %s %s %s, %d operations" % (
        client.device_id,
        v["transport"],
        v.get("server", "no server"),
        up,
        client.ops,
    )
    return text + (", encrypted without a MAC>" if v["transport"] == "tcp" else ">")


def _limit(client):
    return int(client._values["limits"])


def _interface(client):
    return client._link.kind if client._link else None


_VALUES = {
    "interface": _interface,
    "max_event_data_size": _limit,
    "max_variable_value_size": _limit,
    "max_function_argument_size": _limit,
}
_VERBS = (
    "config server disconnect disconnected set_disconnect_options unsubscribe events can_publish"
    " flush clear_session keep_alive get_name get_ip get_random sync_time sync_time_pending"
    " time_synced_last publish_vitals usage diagnose"
).split()
