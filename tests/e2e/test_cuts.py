"""The handshake broken at every byte of both directions, and connections that fall silent."""

import os

import pytest

from e2e.desk import stored
from e2e.relay import Break, BreakingRelay
from particle_tools.local import wait_for
from process_sockets import family

NONCE, CLIENT_MESSAGE, REPLY = 40, 256, 384
DEVICE_HELLO = 2 + 32  # frame of 27 bytes
SERVER_HELLO = 2 + 16
END_OF_STREAM, NOT_ALLOWED, TIMEOUT, NETWORK = -201, -130, -160, -230


def cuts(way, first, last):
    """Break after every byte from `first` to `last`, half of them hard."""
    return [Break(way, n, ("fin", "rst")[n % 2]) for n in range(first, last + 1)]


def expected(cut):
    """Tell which (stage, errno) the board may name for a cut."""
    if cut.how == "rst" and cut.after < NONCE and (cut.way == "down" or cut.after == 0):
        # it may come before the board has seen that it is connected
        return {("transport", END_OF_STREAM), ("port", NETWORK)}
    refused = ("device key", NOT_ALLOWED)  # how a cloud refuses: silence after our message
    broken = ("transport", END_OF_STREAM)
    lost = ("cloud", END_OF_STREAM)
    if cut.way == "down":
        if cut.after <= NONCE:
            return {broken} if cut.after < NONCE else {broken, refused}
        return {broken, lost} if cut.after < NONCE + REPLY + SERVER_HELLO else {lost}
    if cut.after <= CLIENT_MESSAGE:
        return {broken, refused}
    return {broken, lost}


def run(desk, cloud, breaks, *, scale=1):
    """Let a board meet the breaks and then the cloud; return (board, relay)."""
    relay = BreakingRelay(cloud.ready["tcp_port"], breaks)
    options = ("--time-scale", str(scale))
    server = f"127.0.0.1:{relay.port}"
    # one more attempt, that nobody disturbs
    board = desk.attempts(len(breaks) + 1, server=server, options=options)
    board.said(f"online {len(breaks)}", 60)
    return board, relay


def total(api):
    """Return how many refusals the cloud remembers."""
    return sum(r["count"] for r in api.get("/local/v1/refusals"))


@pytest.mark.parametrize(
    ("way", "first", "last"),
    [
        ("down", 0, NONCE + 150),
        ("down", NONCE + 151, NONCE + REPLY + SERVER_HELLO - 1),
        ("up", 0, CLIENT_MESSAGE + DEVICE_HELLO - 1),
    ],
)
def test_cut_at_every_byte(desk, cloud, api, way, first, last):
    breaks = cuts(way, first, last)
    before = total(api)
    board, relay = run(desk, cloud, breaks)
    try:
        attempts = board.attempts()
        assert len(attempts) == len(breaks)
        wrong = {
            cut: (attempt.stage, attempt.errno)
            for cut, attempt in zip(breaks, attempts, strict=True)
            if (attempt.stage, attempt.errno) not in expected(cut)
        }
        assert not wrong
        # each was noticed at once, with no wait for a time-out
        assert max(a.ms for a in attempts) < 3000
        # the relay did what this test says it did
        for cut, passed in zip(breaks, relay.passed, strict=False):
            assert passed[way] == cut.after, (cut, passed)
        # nothing piled up in the board, and the undisturbed connection is a good one
        interpreter = family(board.process.pid)[-1]
        assert len(os.listdir(f"/proc/{interpreter}/fd")) < 20
        assert api.call(board.device_id, "size", "whole") == 5
        assert len(relay.passed) == len(breaks) + 1
        # the cloud took note of every connection that brought no session
        assert wait_for(lambda: total(api) >= before + len(breaks) // 2, 30)
        reasons = {r["stage"] for r in api.get("/local/v1/refusals")}
        assert reasons <= {"link", "transport", "device key"}, reasons
    finally:
        relay.close()


def test_silence_at_any_place_ends_with_a_time_out(desk, cloud):
    # cut off without a FIN, as a mobile network does it
    breaks = [
        Break(way, after, "stall")
        for way, after in (
            ("down", 0),
            ("down", 20),
            ("up", 0),
            ("up", 100),
            ("down", NONCE + 200),
            ("up", CLIENT_MESSAGE),
            ("down", NONCE + REPLY),
        )
    ]
    board, relay = run(desk, cloud, breaks, scale=10)
    try:
        for cut, attempt in zip(breaks, board.attempts(), strict=True):
            hello = cut.way == "down" and cut.after == NONCE + REPLY
            assert attempt.errno == TIMEOUT, (cut, attempt)
            assert attempt.stage == ("cloud" if hello else "transport"), (cut, attempt)
            limit = 4000 if hello else 20000
            assert limit <= attempt.ms < limit + 15000, (cut, attempt)
    finally:
        relay.close()


def test_cuts_lose_nothing_stored(desk, cloud, api):
    folder = desk.made()
    kept = stored(folder)
    board, relay = run(desk, cloud, cuts("up", 250, 260) + cuts("down", 38, 42))
    relay.close()
    board.kill()
    now = stored(folder)
    kept["config.json"] = now["config.json"]  # `--server` is stored there
    assert now == kept
    again = desk.remote(server=f"127.0.0.1:{cloud.ready['tcp_port']}")
    assert api.call(again.device_id, "do", "1") == 1
