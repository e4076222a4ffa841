"""How many events a device may publish, exactly as Device OS counts (cloud-protocol 8)."""

from micropython import const

from ..errors import Error

_LIMIT_EXCEEDED = const(-200)
_BURST = const(4)  # events of the application in any second
_SECOND_MS = const(1000)
_SYSTEM = const(255)  # events named spark... or particle... in a window of 65.536 s


def full(recent, now):
    """Return True when the last four attempts (ticks) are all of the last second."""
    if len(recent) < _BURST:
        return False
    # `now` may be that of a step that began a little earlier
    return (now - recent[-_BURST] + _SECOND_MS) & 0x3FFFFFFF < 2 * _SECOND_MS


def count(client, now, name):
    """Count an attempt to publish; raise `Error(LIMIT_EXCEEDED)` when it is one too many.

    Refused attempts count too, so hammering keeps an application blocked.
    """
    more = client.more
    if name.startswith("spark") or name.startswith("particle"):
        if more.window != now >> 16:
            more.window = now >> 16
            more.sent = 0
        more.sent += 1
        over = more.sent > _SYSTEM
    else:
        over = full(more.recent, now)
        more.recent = more.recent[1 - _BURST :] + [now]
    if over:
        client.limited += 1
        raise Error(_LIMIT_EXCEEDED, "more than 4 events in a second")
