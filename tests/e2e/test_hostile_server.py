"""A server that breaks the protocol in every way it can: the board names the stage and goes on.

One board meets all cases of a group, one connection after the other.
"""

import time
import traceback

import pytest

from e2e import hostile_cases as cases_of
from e2e.desk import store, stored
from e2e.hostile import HostileServer

SETUP = """
def raises(text):
    raise ValueError(text)

particle.function("raises", raises)
particle.variable("level", 5)
particle.variable("failing", lambda: 1 // 0, type=int)
particle.subscribe("evil/raises", lambda name, data: 1 // 0)
particle.subscribe("evil", lambda name, data: print("evil", repr(name), repr(data)))
particle.subscribe("good", lambda name, data: print("good", name, len(data)))
"""


def run(desk, cases, *, scale=1):
    """Let a board meet the cases; return (board, attempts) after what every case must keep."""
    cases = list(cases)
    server = HostileServer([case.script for case in cases])
    folder = desk.made()
    store(folder, "server.rsa.der", server.public_key)
    kept = stored(folder)
    address = f"127.0.0.1:{server.port}"
    options = ("--time-scale", str(scale))
    board = desk.attempts(len(cases), SETUP, server=address, options=options)
    try:
        problems = {}
        for case in cases:
            try:
                server.result(40)
            except Exception as error:  # noqa: BLE001
                problems[case.name] = "".join(traceback.format_exception(error)[-3:])
        assert board.ended() == 0, board.output()
        found = board.attempts()
        for case, attempt in zip(cases, found, strict=True):
            said = (attempt.stage, attempt.errno, attempt.kind)
            if said != (case.stage, case.errno, case.kind):
                problems.setdefault(case.name, said)
            if not case.limit - 1000 <= attempt.ms <= case.limit + 5000 + 500 * scale:
                problems.setdefault(case.name, f"after {attempt.ms} ms")
            if case.online != (f"\nonline {found.index(attempt)}\n" in board.output()):
                problems.setdefault(case.name, "online")
        assert not problems, f"{problems}\n{board.output()}"
    finally:
        server.close()
    # one connection per case, nothing stored was touched
    assert server.accepted == len(cases)
    now = stored(folder)
    kept["config.json"] = now["config.json"]  # `--server` is stored there
    assert now == kept
    return board, found


@pytest.mark.parametrize(
    ("group", "scale"),
    [
        (cases_of.before_the_keys, 1),
        (cases_of.replies, 1),
        (cases_of.frames, 1),
        (cases_of.ignored, 1),
        (cases_of.requests, 1),
        (cases_of.silence_before, 20),
        (cases_of.silence_after, 8),
    ],
    ids=lambda g: getattr(g, "__name__", ""),
)
def test_hostile(desk, api, group, scale):
    began = time.monotonic()
    board, attempts = run(desk, group(), scale=scale)
    assert time.monotonic() - began < 30
    for attempt in attempts:
        # a remedy for each: the stage, a sentence, the number
        assert attempt.text.startswith(attempt.stage + ": "), attempt
        assert attempt.text.endswith(f" ({attempt.errno})") and len(attempt.text) > 40, attempt
    if group is cases_of.requests:
        said = board.output()
        assert "good good/one 1024" in said and "good good/two 1" in said
        assert "ValueError" in said and "ZeroDivisionError" in said
    # the true cloud never heard of it
    assert api.usage(board.device_id)["handshakes"] == 0
