"""Updates over a bad network on a fake clock: the real sender of the cloud, the real client."""

import pytest

import plain_updates
from bundles import tree
from fake_board import PowerCut
from fake_updates import PLATFORM, Receiver, Sender, application
from fake_world import World
from particle.ota.direct import Direct
from relay import Weather

FAIR = Weather(delay=0.05)


@pytest.fixture
def world(tmp_path):
    """Give a world in fair weather."""
    with World(tmp_path, seed=4, weather=FAIR) as found:
        yield found
    plain_updates.remove()


FILES = {
    f"lib/part{n}.py": bytes([(i * n * 197 >> 3) & 255 for i in range(1000 * n)])
    for n in range(15)
}


def sending(world, times=1):
    """Return a connected board and what sends it an application of 105 kB, or of more."""
    files = {name: data * times for name, data in FILES.items()}
    board = world.board(Receiver(slots=True), platform_id=PLATFORM)
    assert world.run(60, lambda: board.client is not None and board.client.connected())
    sender = Sender(world, board, application(files))
    sender.files = files
    return board, sender


def arrived(board, sender):
    found = tree(str(board.root / "b"))
    return found.pop("manifest") and found == sender.files


def test_an_update(world):
    board, sender = sending(world)
    assert world.run(600, lambda: sender.done), sender.failures
    assert world.run(60, lambda: board.program.resets == 1)
    assert arrived(board, sender)
    assert board.program.steps[0] == 0 and board.program.steps[-1] == 1


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_loss(world, loss):
    board, sender = sending(world)
    world.storm.weather = Weather(loss=loss, double=0.1, corrupt=0.02, delay=0.2)
    assert world.run(3600, lambda: sender.done), sender.failures
    world.storm.weather = FAIR
    assert world.run(600, lambda: board.program.resets == 1)
    assert arrived(board, sender)


def test_blackouts(world):
    board, sender = sending(world, 2)
    for _ in range(4):
        world.run(1)
        world.storm.until = world.time + 120
        world.run(130)
    assert world.run(3600, lambda: sender.done), sender.failures
    assert world.run(600, lambda: board.program.resets == 1)
    assert arrived(board, sender)
    assert len(sender.offsets) > 1 and sender.offsets == sorted(sender.offsets)


def test_reset_at_every_tenth_chunk(world):
    """Not one of them loses everything: it comes to its end, and never goes back to zero."""
    board, sender = sending(world)
    writes = 0
    write = Direct.write

    def counted(target, data):
        nonlocal writes
        writes += 1
        if not writes % 10:
            target._close()  # what a flash keeps of it is tried on littlefs (tests/ota)
            raise PowerCut
        return write(target, data)

    Direct.write = counted
    try:
        assert world.run(7200, lambda: sender.done), (sender.offsets, sender.failures)
    finally:
        Direct.write = write
    assert world.run(600, lambda: board.program.resets == 1)
    assert arrived(board, sender)
    assert board.boots > 5


def test_cloud_restarts(world):
    board, sender = sending(world, 2)
    for _ in range(3):
        world.run(1)
        world.kill_cloud()
    assert world.run(3600, lambda: sender.done), sender.failures
    assert world.run(600, lambda: board.program.resets == 1)
    assert arrived(board, sender)


@pytest.mark.parametrize("older", [True, False])
def test_a_refusal_says_why(world, older):
    board = world.board(Receiver(slots=True), platform_id=PLATFORM)
    assert world.run(60, lambda: board.client is not None and board.client.connected())
    board.client._board.OTA = "none"
    sender = Sender(world, board, application({"a.py": b""}), older=older)
    assert world.run(60, lambda: sender.failures)
    assert "this board takes no updates (OTA = none)" in sender.failures[0]
    assert sender.failures[0].endswith("error -120")


def test_what_is_refused_while_it_comes(world):
    """The connection ends, and the next start hears the reason."""
    board = world.board(Receiver(slots=True), platform_id=PLATFORM)
    assert world.run(60, lambda: board.client is not None and board.client.connected())
    board.client._board.NAME = "OTHER"
    sender = Sender(world, board, application(FILES))
    said = "the bundle is for b'FAKE', not OTHER"
    assert world.run(120, lambda: any(said in text for text in sender.failures)), sender.failures
    assert "given the update up" in sender.failures[0]
    assert board.program.resets == 0 and not (board.root / "b").exists()
