"""The three ways to serve a connection, and the sockets a board holds while it does."""

import os
import time

import pytest

from e2e.desk import Desk
from particle_tools.local import wait_for
from process_sockets import family, sockets

_COMMON = """
import asyncio, time
import particle

turns = 0
longest = 0
last = None

def turn():
    # counts, and keeps the longest pause in ms
    global turns, longest, last
    now = time.ticks_ms()
    if last is not None:
        longest = max(longest, time.ticks_diff(now, last))
    last = now
    turns += 1

particle.function("add", lambda text: sum(int(x) for x in text.split()))
particle.function("say", lambda text: [particle.publish("said", text)] and 1)
particle.variable("turns", lambda: turns)
particle.variable("longest", lambda: longest)
particle.subscribe("poke", lambda name, data: particle.publish("poked", data))
"""
_PROGRAMS = {
    "process": """
        particle.connect(20, background=False)
        while True:
            particle.process()
            turn()
            time.sleep_ms(10)
        """,
    "run": """
        particle.run()
        """,
    "run_forever": """
        async def other():
            while True:
                turn()
                await asyncio.sleep_ms(10)

        async def main():
            task = asyncio.create_task(other())
            await particle.run_forever()

        asyncio.run(main())
        """,
    "run_forever alone": """
        asyncio.run(particle.run_forever())
        """,
    "awaited": """
        async def other():
            while True:
                turn()
                await asyncio.sleep_ms(10)

        async def main():
            task = asyncio.create_task(other())
            service = asyncio.create_task(particle.run_forever())
            print("connect", await particle.connect(20))
            event = particle.publish("from/task", "1", ack=True)
            print("publish", await event, event.status)
            for name, call in (
                ("run", particle.run),
                ("wait_until", lambda: particle.wait_until(lambda: True)),
                ("wait", lambda: particle.publish("x", ack=True).wait(1)),
            ):
                try:
                    call()
                    print(name, "worked")
                except particle.Error as e:
                    print(name, e.errno)
            await service

        asyncio.run(main())
        """,
}


def _text(program):
    lines = (line[8:] for line in program.splitlines())
    return _COMMON + "\n".join(lines)


@pytest.fixture(params=_PROGRAMS)
def board(request, cloud, api, tmp_path):
    """Give an online board for each way of servicing."""
    desk = Desk(tmp_path, cloud)
    board = desk.board(_text(_PROGRAMS[request.param]), "board")
    board.way = request.param
    assert wait_for(lambda: api.device(board.device_id)["functions"], 30), board.output()
    yield board
    desk.close()


def _seconds(pid):
    # processor time of a process
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_everything_works_and_costs_little(cloud, api, events, board):
    device = board.device_id
    if board.way == "awaited":
        assert events.wait("from/task")["data"] == "1"
    # who serves it makes no difference to the cloud
    assert api.call(device, "add", "1 2 3") == 6
    assert api.call(device, "say", "hello") == 1
    assert events.wait("said")["data"] == "hello"
    api.publish("poke", "again")
    assert events.wait("poked")["data"] == "again"

    pid = family(board.process.pid)[-1]
    before, began = _seconds(pid), time.monotonic()
    first = api.read(device, "turns")
    time.sleep(1.5)
    spent = (_seconds(pid) - before) / (time.monotonic() - began)
    assert spent < 0.5, "it spins"
    if board.way not in ("run", "run_forever alone"):
        assert api.read(device, "turns") - first > 30, "the rest of the program starves"
        # all of the handshake's calculation happened meanwhile, in slices
        assert api.read(device, "longest") < 3000  # a busy host stops it, too

    # one connection to the cloud, nothing else, no server anywhere
    found = sockets(family(board.process.pid))
    assert [s.protocol for s in found] == ["tcp"]
    assert found[0].connected and found[0].remote_port == cloud.ready["tcp_port"]
    assert api.usage(device)["handshakes"] == 1

    if board.way == "awaited":
        for line in ("connect True", "publish True SENT", "run -210", "wait_until -210"):
            board.said(line)
        board.said("wait -210")


def test_a_cancelled_service_can_be_started_again(api, events, desk):
    board = desk.board(
        """
        import asyncio
        import particle

        particle.function("f", lambda text: 1)

        async def main():
            service = asyncio.create_task(particle.run_forever())
            await particle.connect(20)
            service.cancel()
            try:
                await service
            except asyncio.CancelledError:
                print("cancelled")
            particle.disconnect()
            print("connected", particle.connected())
            service = asyncio.create_task(particle.run_forever())
            await particle.connect(20)
            print("connected", particle.connected())
            await particle.publish("back", "1", ack=True)
            await service

        asyncio.run(main())
        """
    )
    board.said("cancelled")
    board.said("connected False")
    board.said("connected True")
    assert events.wait("back")["coreid"] == board.device_id
    assert api.call(board.device_id, "f", "") == 1
    assert api.usage(board.device_id)["handshakes"] == 2
    assert len(sockets(family(board.process.pid))) == 1


def test_disconnect_closes_every_socket_and_says_goodbye(api, desk):
    board = desk.board(
        """
        import particle, time

        def off(graceful):
            particle.connect(20)
            particle.disconnect(graceful=graceful)
            print("off", graceful, particle.connected())
            # nobody serves it any more, and it does not come back by itself
            for _ in range(150):
                particle.process()
                time.sleep_ms(10)
            print("rest", graceful, particle.connected())

        off(True)
        off(False)
        """
    )

    def last_end():
        session = next(s for s in api.get("/local/v1/sessions") if s["id"] == board.device_id)
        return not session["online"] and session["last_end"]["reason"]

    board.said("off True False")
    assert wait_for(lambda: last_end() == "the device said goodbye", 25), last_end()
    left = sockets(family(board.process.pid))
    assert left == [] or "rest True" in board.output()  # a slow host looks too late
    board.said("rest True False")
    board.said("off False False")
    assert wait_for(lambda: "connection" in (last_end() or ""), 25), last_end()
    assert sockets(family(board.process.pid)) == []  # nothing is opened behind this
    assert board.ended() == 0
    board.said("rest False False")
    assert api.usage(board.device_id)["handshakes"] == 2


def test_goodbye_inside_a_task(api, desk):
    # the cloud closes as soon as it has read the goodbye: that is no reason to come back
    board = desk.board(
        """
        import asyncio
        import particle

        async def main():
            service = asyncio.create_task(particle.run_forever())
            for _ in range(2):
                await particle.connect(20)
                particle.disconnect(graceful=True)
                await asyncio.sleep_ms(2000)
                print("off", particle.connected())

        asyncio.run(main())
        """
    )
    assert board.ended() == 0, board.output()
    assert board.output().count("off False") == 2
    assert api.usage(board.device_id)["handshakes"] == 2
