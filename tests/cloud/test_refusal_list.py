"""The list of refusals under a flood, without a gateway."""

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.refusals import ID, SERVER_KEY, TRANSPORT, Refusals, Refused


def test_repetitions_are_one_entry():
    refusals = Refusals(Clock())
    refusals.record("udp", "10.0.0.1:5", Refused(ID, "unknown", "00" * 12))
    for i in range(1000):
        refusals.record("udp", "10.0.0.2:5", Refused(SERVER_KEY, f"reason {i}"))
    refusals.record("udp", "10.0.0.2:5", Refused(TRANSPORT, "other"))
    shown = [r.to_json() for r in refusals.recent()]
    assert [(r["reason"], r["count"]) for r in shown] == [
        ("other", 1),
        ("reason 999", 1000),
        ("unknown", 1),
    ]
    assert refusals.total == 1002


def test_the_busiest_host_gives_way():
    refusals = Refusals(Clock())
    refusals.record("udp", "10.0.0.1:5", Refused(ID, "unknown", "00" * 12))
    refusals.record("tcp", "[::1]:5", Refused(TRANSPORT, "other"))
    for port in range(2000):
        refusals.record("udp", f"10.0.0.2:{port}", Refused(SERVER_KEY, "flood"))
    found = refusals.recent()
    assert len(found) == 500 and refusals.total == 2002
    assert [r.address for r in found[-2:]] == ["[::1]:5", "10.0.0.1:5"]
    assert found[0].address == "10.0.0.2:1999"
    assert sum(refusals._hosts.values()) == 500
