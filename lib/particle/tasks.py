"""What a client does inside asyncio: serve the connection for ever, wait for an operation, run
handlers that are coroutines (device-api 2.3).
"""

import asyncio
import sys

from micropython import const

from .operation import int32, now
from .session.messaging import diff
from .wire.messages import encode

_CHANGED = const(0x44)
_INT = const(2)  # kind of a variable
_STEP_MS = const(20)  # at most between two steps


async def run_forever(client):
    """Connect and serve the connection for ever, inside the caller's task.

    Only while it runs are handlers that are coroutines started, each as a task that ends
    with it.
    """
    client._open()
    client._quiet()
    tasks = client._tasks = []
    try:
        while True:
            client.process()
            await pause(client)
    finally:
        # asyncio goes on with one that Ctrl-C has left, beside the next one
        if client._tasks is tasks:
            client._tasks = None
        for task in tasks:
            task.cancel()


async def finish(client, operation):
    """Serve the connection until `operation` ends; return True, or raise its `Error`."""
    limit = operation._limit
    while not operation.done():
        client.process()
        if limit is not None and diff(now(), limit) >= 0:
            operation._late()
        else:
            await pause(client)
    return operation.result()


def pause(client):
    """Return the awaitable that lets other tasks run until the next step."""
    return asyncio.sleep_ms(min(client._until(), _STEP_MS))


def begin(client, coroutine, token):
    """Run `coroutine` as a task and return True; with a token its result answers the call.

    Without run_forever it is not run, and a call is answered with -1.
    """
    tasks = client._tasks
    if tasks is None:
        coroutine.close()
        print("a handler is a coroutine: it runs only while run_forever() does")
        if token is not None:
            _answer(client, client._conn.handshakes, token, -1)
        return True
    tasks[:] = [task for task in tasks if not task.done()]
    tasks.append(asyncio.create_task(_handle(client, client._conn.handshakes, coroutine, token)))
    return True


async def _handle(client, connection, coroutine, token):
    value = -1
    try:
        value = int32(await coroutine or 0)
    except Exception as e:
        sys.print_exception(e)
    if token is not None:
        _answer(client, connection, token, value)


def _answer(client, connection, token, value):
    # a token means nothing on another connection than the one it came with
    if connection == client._conn.handshakes and client.connected():
        client._conn.respond(0, token, _CHANGED, encode(_INT, value))


VERBS = {"run_forever": run_forever, "_finish": finish, "_pause": pause, "_begin": begin}
