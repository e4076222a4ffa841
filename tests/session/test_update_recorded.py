"""Updates of a recorded session of Device OS 6.2.0 (vectors/deviceos-session-udp.jsonl), replayed:
to the same messages come the same answers."""

import json

from particle.session.update import Update
from tcp_peer import Parsed
from update_world import World

FILE = "tests/vectors/deviceos-session-udp.jsonl"


def steps(word):
    """Return the messages of steps whose heading has `word`: (from the server, ms, bytes)."""
    found = []
    inside = False
    with open(FILE) as file:
        for line in file:
            entry = json.loads(line)
            if "step" in entry:
                inside = word in entry["step"]
            elif inside and entry.get("coap"):
                coap = bytes.fromhex(entry["coap"])
                found.append((entry["dir"] == "S>D", entry["t_ms"], coap))
    assert found
    return found


def replay(messages):
    """Let the server's messages arrive at their times; return pairs (recorded, ours)."""
    w = World(Update)
    begin = messages[0][1]
    start = w.now
    recorded = []
    ids = {}  # of the recorded device's messages -> ours
    said = []
    for from_server, t, coap in messages:
        if not from_server:
            recorded.append(coap)
            continue
        while len(said) < len(recorded):
            if not w.said:
                w.step()
            said.append(w.said.pop(0).raw)
            ids[recorded[len(said) - 1][2:4]] = said[-1][2:4]
        w.now = max(w.now, start + t - begin)
        if coap[0] >> 4 & 3 == 2:  # an acknowledgement of a message of the device
            coap = coap[:2] + ids[coap[2:4]] + coap[4:]
        w.feed(coap)
    while len(said) < len(recorded) and w.said:
        said.append(w.said.pop(0).raw)
    return w, recorded, said


def same(recorded, said):
    if Parsed(recorded).type >= 2:
        assert recorded == said
    else:
        # but for the message IDs, which both count for themselves
        assert recorded[:2] + recorded[4:] == said[:2] + said[4:], (recorded, said)


def test_gap_and_cancel():
    w, recorded, said = replay(steps("a gap"))
    assert len(recorded) == len(said) == 7
    for i in range(len(said)):
        same(recorded[i], said[i])
    assert not w.transfer.active() and w.told_of[-1] == -1
    assert ("discard",) in w.target.calls


def test_chunk_of_a_wrong_size():
    messages = steps("wrong size")
    # what follows is the next connection
    end = [i for i, (server, _, coap) in enumerate(messages) if coap[0] == 0x70][0]
    w, recorded, said = replay(messages[: end + 1])
    assert len(recorded) == len(said) == 3
    for i in range(len(said)):
        same(recorded[i], said[i])
    w.pass_(30)
    assert w.downs == [("cloud", -1390)]
