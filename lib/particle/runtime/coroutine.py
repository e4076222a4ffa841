"""Handlers that are coroutines: run as tasks beside `run_forever` (device-api 2.3)."""

import sys

from micropython import const

from ..wire.messages import encode

_CHANGED = const(0x44)
_INT = const(2)  # kind of a variable


def start(client, coroutine, token):
    """Run `coroutine` and return True; with a token its result answers the call.

    Without run_forever it is not run, and a call is answered with -1.
    """
    tasks = client._tasks
    if tasks is None:
        coroutine.close()
        print("a handler is a coroutine: it runs only while run_forever() does")
        if token is not None:
            _answer(client, client._conn.handshakes, token, -1)
        return True
    import asyncio

    tasks[:] = [task for task in tasks if not task.done()]
    tasks.append(asyncio.create_task(_run(client, client._conn.handshakes, coroutine, token)))
    return True


async def _run(client, connection, coroutine, token):
    value = -1
    try:
        value = int(await coroutine or 0)
        if not -0x80000000 <= value < 0x80000000:
            raise ValueError("result does not fit 32 bits")
    except Exception as e:
        sys.print_exception(e)
        value = -1
    if token is not None:
        _answer(client, connection, token, value)


def _answer(client, connection, token, value):
    # a token means nothing on another connection than the one it came with
    if connection == client._conn.handshakes and client.connected():
        client._conn.respond(0, token, _CHANGED, encode(_INT, value))
