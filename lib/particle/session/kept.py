"""Messages that outlive their connection, and even the boot: the same bytes under the same ID.

What `conn.Conn` offers for them beside `next` and `send`; loaded with the first one. Over TCP an
ID means nothing to another connection (cloud-protocol 1.5): there only `wait` is of use.
"""


def given(conn, mid):
    """Return True when `mid` is one of the last 32768 IDs taken: it may be used again."""
    return (conn._mid - mid) & 0xFFFF < 0x8000


def skip(conn, mid):
    """Have the IDs of `conn` go on behind `mid`: none may mean two messages."""
    if not given(conn, mid):
        conn._mid = mid


def wait(conn, mid, until):
    """Have ACKED(mid, code) tell what becomes of a CON, at the latest at the ticks `until`."""
    conn._waiting[mid] = until


def repeated(conn, mid):
    """Return True while `conn` repeats the message until its ACK."""
    return mid in conn._open


def probe(conn, now, mid):
    """Ask a resumed session for a sign of life when the ACK of `mid` would not open it.

    That of a message of an earlier boot does not: it may be as old as the message.
    """
    if conn._closed and conn._floor >= 0 and (mid - conn._floor - 1) & 0x8000:
        conn.ping(now)
