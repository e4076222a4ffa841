"""Applications with so many functions that their list fits no message (cloud-protocol 3.8)."""

import pytest

from e2e.desk import LIMIT, REMOTE
from particle_tools.local import wait_for

_NAME = "function-number-%02d-with-a-name-that-is-as-long-as-names-may-be-x"
SETUP = f"""
for i in range(30):
    particle.function("{_NAME}" % i, lambda text, i=i: i)
particle.variable("late", 5)
"""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_all_functions_are_known_and_stay_so(desk, api, transport):
    board = desk.remote(SETUP, transport=transport)
    wanted = {_NAME % i for i in range(30)} | {"do"}

    def known():
        return set(api.device(board.device_id)["functions"] or ()) == wanted

    assert wait_for(known, LIMIT)
    assert api.read(board.device_id, "late") == 5
    assert api.call(board.device_id, _NAME % 29, "") == 29
    # over a reset: a resumed session does not tell it again, another connection does
    board.kill()
    board = desk.board(REMOTE.format(setup=SETUP), transport=None)
    board.said("connected", count=4)  # each time the library's word and the program's
    if transport == "udp":
        assert wait_for(lambda: api.usage(board.device_id)["resumes"] == 1, LIMIT)
        assert api.usage(board.device_id)["handshakes"] == 1
    assert wait_for(known, LIMIT)
    assert api.call(board.device_id, _NAME % 7, "") == 7
