"""What the system does with messages of the cloud that are not the application's
(cloud-protocol 4.9, 4.14), and what it says after every connect.
"""

import time

from micropython import const

from ..errors import Error

_GET = const(1)
_PUT = const(3)
_CON = const(0)
_SOON_MS = const(500)  # for an acknowledgement to leave
_TIME_MS = const(1000)  # what is urgent goes first: who sleeps again at once need not pay
_BUILT = const(2025)  # the year; an earlier time was never set
_PERIOD = const(0x3FFFFFFF)  # of ticks
_CLAIM = const(4)  # kind of container: the code to be shown, then that it was taken
_CLAIMED = const(b"1")
_RESETS = {
    "PWRON_RESET": "power_down",
    "HARD_RESET": "pin_reset",
    "WDT_RESET": "watchdog",
    "DEEPSLEEP_RESET": "power_management",
    "SOFT_RESET": "user",
}
_told = False  # the reason of the last reset is told once per boot


def handle(client, kind, a, b, now):
    """Act on an event of the connection that is not the application's (DESIGN 5, kinds).

    Also SETTINGS(values), before they are used; MISSING(ImportError), when a connection cannot be
    made; DATA(data, content type), before it becomes JSON or when a type is given, and
    PUBLISH(name, ttl), before an event is sent;
    BACKGROUND, when the prompt is free; and COROUTINE(coroutine, token), what a handler
    returned: True when its result will answer.
    """
    # parts that not every application needs are loaded when they are
    if kind == "SETTINGS":
        from .rules import check_stored

        check_stored(a)
        client.more.back_up(client)
    elif kind == "PUBLISH":
        from .limiter import count
        from .rules import check_ttl

        check_ttl(b)
        count(client, now, a)
    elif kind == "DATA":
        from .rules import check_data

        check_data(a, b)
    elif kind == "COROUTINE":
        return client._begin(a, b)
    elif kind == "MISSING":
        from .remedy import missing

        missing(a)
    elif kind == "BACKGROUND":
        from .background import start

        client._timer = client._timer or start(client.process)
    elif kind == "DIAL":
        client.more.dialing(client, client._conn)
    elif kind == "DOWN":
        from .remedy import failure

        client.error = failure(a, b)
    elif kind == "SYSTEM":
        _event(client, a, b[0], now)
    elif kind == "HANGUP":
        if client.more.updating:
            client.more.updating.gone()
    elif kind == "OPEN":
        why = getattr(client._conn, "why", None)  # over TCP there is nothing else
        if why and not a:
            client.more.reasons[why] = client.more.reasons.get(why, 0) + 1
    elif kind == "TIME":
        from . import clock

        clock.set(a)
        client.more.time_synced = now, a
        _answered(client, "time", a)
    elif kind == "SIGNAL":
        client.more.signal = a
    if client.talk:
        from .talk import tell

        tell(client, kind, a, b, now)
    if kind == "READY":  # after its line was ended: what cannot be read is printed
        client._conn.on(_GET, "d", lambda now, m: _describe(client, now, m))
        client._conn.on(_PUT, "k", lambda now, m: _key_change(client, now, m))
        _announce(client, now)
        if _unset() and client._conn.time_token is None:
            client._jobs[lambda t: _time(client, t)] = (now + _TIME_MS) & _PERIOD
        if client.more.queue:
            client.more.queue.ready(now)
    return None


def _unset():
    return time.gmtime()[0] < _BUILT


def _time(client, now):
    # a new session asks of itself, one that goes on only when the clock is not set (4.8)
    if _unset() and client.connected() and client._conn.time_token is None:
        client._conn.time(now)


def _describe(client, now, m):
    # the cloud asks for a description: the vitals are made when they are asked for
    if m.query() == b"\x04":
        from .vitals import encode

        client._conn.answer_describe(m, encode(client))
    else:
        client._conn.describe_request(now, m)


def _key_change(client, now, m):
    # "forget the session": over TCP there is none (4.12)
    conn = client._conn
    if m.type == _CON:
        conn.acknowledge(m)
    if m.query() == b"\x01" and hasattr(conn, "forget"):
        client._jobs[lambda t: _begin_anew(client, t)] = (now + _SOON_MS) & _PERIOD


def _begin_anew(client, now):
    client.clear_session()
    _reset(client, b"network", now)


def say(client, now, name, data=b""):
    """Publish an event of the system, return its ID; data: text, bytes, or a flag.

    None: the queue is full, the next connect says it again.
    """
    if isinstance(data, bool):
        data = "true" if data else "false"
    try:
        return client._conn.publish(now, name, data, 0, None)
    except Error:
        return None


def reset_text(client):
    """Return the name of the cause of the last reset (device-api 4.4), None if not known."""
    import machine

    more = client.more
    if more.reason is None:
        more.reason = _kept_reason(client._store)
    if more.reason:
        return more.reason
    try:
        cause = machine.reset_cause()
    except AttributeError:
        return None
    for name, text in _RESETS.items():
        if getattr(machine, name, None) == cause:
            return text
    return None


def _kept_reason(store):
    # what the library has reset the board for, told once
    try:
        reason = store.read("reason")
        if reason:
            store.remove("reason")
            return reason.decode()
    except (Error, ValueError) as e:
        print(e)
    return ""


def _announce(client, now):
    global _told
    try:
        code = client._store.get(_CLAIM)
    except Error as e:
        print(e)  # damaged, or of a newer version: the connection is none the worse
        code = None
    if code and code != _CLAIMED:
        say(client, now, "spark/device/claim/code", code)
    safe = client.more.safe
    if safe:  # with a session that goes on too, or the cloud would never bring what is missing
        say(client, now, "spark/device/safemode")
    if not _told:
        _told = True
        text = "safe_mode" if safe else reset_text(client)
        # a board that only slept or was switched on goes on with its session: that costs one
        # message less; the cloud still learns of what should not have happened
        if text and (client._conn.handshakes or text == "watchdog"):
            say(client, now, "spark/device/last_reset", text)
        if not safe:
            _unheard(client._store)
    # the cloud takes for granted what is the default (DESIGN decision 2)
    every = client._values.get("connect_events")
    for name, value, default in (
        ("enabled", client.more.updates_enabled, True),
        ("forced", client.more.updates_forced, False),
    ):
        if every or value != default:
            say(client, now, "particle/device/updates/" + name, value)


def _unheard(store):
    # nobody shall be surprised by a request of long ago when the start-up begins to look for it
    try:
        if store.read("safemode") is not None:
            store.remove("safemode")
            print("no safe mode: boot.py does not call particle.system.safe_mode()")
    except Error as e:
        print(e)


def _answered(client, key, value):
    op = client.more.asked.pop(key, None)
    if op is not None:
        op.value = value
        op._end()


def _tell(client, name, value):
    if client.more.watchers:
        from .events import tell

        tell(client, name, int(value))


def _event(client, name, data, now):
    if name.startswith("spark/device/claim/"):
        try:
            if client._store.get(_CLAIM) != _CLAIMED:
                client._store.put(_CLAIM, _CLAIMED)
        except Error as e:
            print(e)  # the next connect shows the code once more
    elif name == "spark/device/reset":
        _reset(client, data, now)
    elif name.startswith("particle/device/updates/") and data:
        value = data[:1] == b"t"  # as Device OS compares: any beginning of "true"
        what = name[24:]
        if what == "pending":
            client.more.updates_pending = value
            _tell(client, "FIRMWARE_UPDATE_PENDING", value)
        elif what == "forced" and value != client.more.updates_forced:
            client.more.updates_forced = value
            say(client, now, name, value)
    elif data and name in client.more.asked:
        try:
            _answered(client, name, str(data, "utf-8"))
        except ValueError:
            pass  # no text: UnicodeError is one


def _reset(client, how, now):
    if how == b"network":
        client._conn.close(now)
        client._conn.start(now)
    elif how == b"safe mode":
        try:
            from .power import enter

            enter(client)
        except (ImportError, Error) as e:
            print("no safe mode:", e)
            restart(client, now)
    elif how in (b"reboot", b"dfu"):
        restart(client, now, "bootloader" if how == b"dfu" else "reset")


def restart(client, now, how="reset"):
    """Call `machine.reset` or another end; in a handler soon, when what it answers has left."""
    import machine

    if client._busy:
        client._jobs[lambda t: getattr(machine, how)()] = (now + _SOON_MS) & _PERIOD
    else:
        getattr(machine, how)()
