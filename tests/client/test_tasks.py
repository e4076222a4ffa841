"""Coroutine handlers, the event stream and await (device-api 1, 2.3, 2.5)."""

import asyncio

from fake_cloud import connected, make, settle

CALL = b"\x41\x02\x33\xb1f\x03led\x42on"


def answers(link):
    return [m for m in link.heard if m.code == 0x44 and m.token == b"\x33"]


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not in time")


def test_coroutine_handler_without_run_forever():
    c, link = make()

    async def led(arg):
        return 5

    c.function("led", led)
    c.connect(timeout=30, background=False)
    link.say(CALL)
    settle(c, link, lambda: answers(link))
    assert answers(link)[0].payload == b"\xff\xff\xff\xff"


def test_coroutine_handlers():
    c, link = make()
    seen = []

    async def led(arg):
        await asyncio.sleep(0.01)
        if arg == "on":
            return 5
        raise ValueError(arg)

    async def event(name, data):
        await asyncio.sleep(0)
        seen.append((name, data))

    async def slow(arg):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    c.function("led", led)
    c.function("slow", slow)
    c.subscribe("in", event)

    async def main():
        task = asyncio.create_task(c.run_forever())
        await until(c.connected)
        link.say(CALL)
        await until(lambda: answers(link))
        assert answers(link)[0].payload == b"\0\0\0\5"
        link.heard = []
        link.say(CALL[:-2] + b"xx")
        await until(lambda: answers(link))
        assert answers(link)[0].payload == b"\xff\xff\xff\xff"
        link.say(b"\x50\x02\xb1E\x02in\xff1")
        link.say(b"\x41\x02\x34\xb1f\x04slow\x40")
        await until(lambda: seen)
        await asyncio.sleep(0.05)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert seen == [("in", "1"), "cancelled"]


def test_result_of_an_old_connection_is_not_sent():
    c, link = make()

    async def led(arg):
        await asyncio.sleep(0.1)
        return 1

    c.function("led", led)

    async def main():
        task = asyncio.create_task(c.run_forever())
        await until(c.connected)
        link.say(CALL)
        await until(lambda: link.heard and c._tasks)
        link.sock.closed = True
        await until(lambda: link.opened == 2 and c.connected())
        await asyncio.sleep(0.15)
        task.cancel()

    asyncio.run(main())
    assert answers(link) == []


def test_one_that_was_left_beside_the_next_one():
    """Ctrl-C leaves a task to the next `asyncio.run`; who ends first does not matter."""
    c, link = connected()

    async def end(task):
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it was not cancelled")

    async def main():
        for order in (1, -1):
            pair = [asyncio.create_task(c.run_forever()) for _ in range(2)]
            await until(lambda: c._tasks is not None)  # then both have begun
            tasks = c._tasks
            first, last = pair[::order]
            await end(first)
            assert c._tasks is (tasks if order == 1 else None)
            await end(last)
            assert c._tasks is None

    asyncio.run(main())


def test_event_stream():
    c, link = connected()
    stream = c.events("door")
    got = []

    async def main():
        task = asyncio.create_task(c.run_forever())
        link.say(b"\x50\x02\xb1E\x04door\xffopen")
        link.say(b"\x50\x02\xb1E\x04door\x11\x2a\xff\x01")
        link.say(b"\x50\x02\xb1E\x05other")
        link.say(b"\x50\x02\xb1E\x04door")
        async for e in stream:
            got.append((e.name, e.data, e.content_type))
            if len(got) == 3:
                break
        task.cancel()

    asyncio.run(main())
    assert got == [("door", "open", 0), ("door", b"\x01", 42), ("door", None, 0)]
    for i in range(20):
        link.say(b"\x50\x02\xb1E\x04door\xff%d" % i)
    settle(c, link, lambda: stream.discards == 4)
    stream.close()
    assert c._handlers == []


def test_an_event_stream_that_is_closed_ends():
    c, link = connected()
    stream = c.events("door")
    got = []

    async def read():
        async for e in stream:
            got.append(e.data)

    async def main():
        reader = asyncio.create_task(read())
        link.say(b"\x50\x02\xb1E\x04door\xffopen")
        await until(lambda: got)
        link.say(b"\x50\x02\xb1E\x04door\xffshut")
        stream.close()
        await asyncio.wait_for(reader, 30)
        await read()  # and stays so

    asyncio.run(main())
    assert got == ["open"]


def test_an_event_stream_that_is_unsubscribed_from_ends():
    c, link = connected()
    got = []

    async def read(prefix):
        async for e in c.events(prefix):
            got.append((prefix, e.data))

    async def main():
        readers = [asyncio.create_task(read(prefix)) for prefix in ("door", "doo", "")]
        await asyncio.sleep(0)
        link.say(b"\x50\x02\xb1E\x04door\xffopen")
        await until(lambda: len(got) == 3)
        c.unsubscribe("door")
        await asyncio.wait_for(readers[0], 30)
        link.say(b"\x50\x02\xb1E\x04door\xffshut")
        await until(lambda: len(got) == 5)
        c.unsubscribe()
        for reader in readers[1:]:
            await asyncio.wait_for(reader, 30)

    asyncio.run(main())
    assert sorted(got) == [
        ("", "open"),
        ("", "shut"),
        ("doo", "open"),
        ("doo", "shut"),
        ("door", "open"),
    ]


def test_answers_inside_a_task():
    c, link = connected()
    link.answer = {"particle/device/name": b"lamp"}
    got = []

    async def main():
        got.append(await c.get_name())
        got.append(await c.sync_time())

    asyncio.run(main())
    assert got == ["lamp", 0x6553F100]


def test_handler_that_disconnects():
    c, link = connected()
    c.subscribe("off", lambda n, d: c.disconnect())
    link.say(b"\x50\x02\xb1E\x03off")
    settle(c, link, lambda: link.sock.closed)
    assert not c.connected()
    c.connect(timeout=30, background=False)
    assert link.opened == 2


def test_handler_that_says_goodbye():
    # the goodbye is sent after the handler; there is nothing to wait for in it
    c, link = connected()
    c.function("off", lambda text: c.disconnect(graceful=True) or 1)
    link.say(b"\x41\x02\x07\xb1f\x03off\x40")
    settle(c, link, lambda: link.sock.closed)
    assert [m for m in link.heard if m.path == "x"]
    # the caller was answered before
    heard = [m for m in link.heard if m.path == "x" or m.token == b"\x07" and m.code == 0x44]
    assert [m.code for m in heard] == [0x44, 2] and heard[0].payload == b"\0\0\0\x01"
    assert not c.connected()


def test_function_that_begins_anew():
    c, link = connected()

    def again(text):
        c.disconnect()
        c.connect(background=False)  # it is to follow, and nothing is waited for here
        return 3

    c.function("again", again)
    link.say(b"\x41\x02\x07\xb1f\x05again")
    settle(c, link, lambda: link.opened == 2 and c.connected())
    # requests of its own may have the same token
    told = [m.payload for m in link.heard if m.token == b"\x07" and m.code == 0x44]
    assert told == [b"\0\0\0\x03"]


def test_flush_in_a_task():
    c, link = connected()

    async def main():
        link.acks = False
        c.publish("a", ack=True)
        late = await c.flush(0.05)
        link.acks = True
        c.publish("b")
        c._operations.clear()
        return late, await c.flush(5), await c.flush(None)

    assert asyncio.run(main()) == (False, True, True)


def test_functions_that_end_the_connection_in_a_task():
    c, link = connected()

    async def off(text):
        c.disconnect()
        return 9

    async def main():
        c.function("off", off)
        service = asyncio.create_task(c.run_forever())
        link.say(b"\x41\x02\x33\xb1f\x03off")
        await until(lambda: not c.connected())
        service.cancel()

    asyncio.run(main())
    assert link.sock.closed


def test_function_that_publishes_and_registers():
    c, link = connected()

    def led(arg):
        c.publish("from/led", arg)
        c.function("other", lambda a: 2)
        return c.process()

    c.function("led", led)
    link.say(CALL)
    settle(c, link, lambda: answers(link))
    assert answers(link)[0].payload == b"\0\0\0\0"
    settle(c, link, lambda: [m for m in link.heard if m.path == "d" and b"other" in m.payload])
    assert link.take("E")[0].payload == b"on"
