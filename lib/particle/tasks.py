"""What a client does inside asyncio: serve the connection for ever, wait for an operation."""

import asyncio

from micropython import const

from .operation import now
from .session.messaging import diff

_STEP_MS = const(20)  # at most between two steps


async def run_forever(client):
    """Connect and serve the connection for ever, inside the caller's task.

    Only while it runs are handlers that are coroutines started, each as a task that ends
    with it.
    """
    client._open()
    client._quiet()
    client._tasks = []
    try:
        while True:
            client.process()
            await pause(client)
    finally:
        tasks = client._tasks
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


VERBS = {"run_forever": run_forever, "_finish": finish, "_pause": pause}
