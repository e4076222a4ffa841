"""`make bench` ends with a table of what it found, whatever happens to one of its measurements."""

import time

from bench.figures import Figure, record, table
from bench.stages import Stage, run

_DONE = Figure("done", 7, "bytes", "before it failed")


def some_then(error):
    def measure(_):
        yield _DONE
        raise error

    return measure


def test_a_failure_keeps_what_was_found_and_says_why(capsys):
    outcome = run(
        [
            Stage("broken", some_then(RuntimeError("first\nno cloud")), ("done", "other")),
            Stage("sums", lambda before: [Figure("sum", before[0].value + 1, "bytes")]),
        ],
        30,
    )
    assert [figure.key for figure in outcome.figures] == ["done", "sum"]
    assert outcome.lines() == ["FAILED: broken, other: RuntimeError: first | no cloud"]
    assert record(outcome.figures) == {"done": 7, "sum": 8, "partial": {}}
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "broken",
        "sums",
    ]


def test_what_hangs_is_given_up():
    stages = [Stage("hung", lambda _: time.sleep(300)), Stage("next", lambda _: [_DONE])]
    outcome = run(stages, 0.05)
    assert outcome.failed == {"hung": "Late: not done after 0.05 s"}
    assert outcome.figures == [_DONE]


def test_what_is_missing_is_named():
    outcome = run([Stage("peer", lambda _: [], ("rate",), "a peer; make fetch")], 30)
    assert outcome.lines() == ["NOT RUN: peer, rate: a peer; make fetch"]
    assert table(outcome.figures) == ""
