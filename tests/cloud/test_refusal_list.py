"""The list of refusals under a flood, without a gateway."""

from particle_tools.cloud.clock import Clock
from particle_tools.cloud.refusals import ID, SERVER_KEY, TRANSPORT, Refusals, Refused


def test_attempts_from_one_host_are_one_entry():
    refusals = Refusals(Clock())
    refusals.record("udp", "10.0.0.1:5", Refused(ID, "unknown", "00" * 12))
    for port in range(1000):
        refusals.record("udp", f"10.0.0.2:{port}", Refused(SERVER_KEY, "another key"))
    refusals.record("tcp", "10.0.0.2:5", Refused(SERVER_KEY, "another key"))
    refusals.record("udp", "10.0.0.2:5", Refused(SERVER_KEY, "no key"))
    refusals.record("udp", "10.0.0.2:5", Refused(SERVER_KEY, "no key", "00" * 12))
    refusals.record("udp", "10.0.0.2:5", Refused(TRANSPORT, "other"))
    shown = [r.to_json() for r in refusals.recent()]
    assert [(r["reason"], r["count"], r["address"]) for r in shown] == [
        ("other", 1, "10.0.0.2:5"),
        ("no key", 1, "10.0.0.2:5"),
        ("no key", 1, "10.0.0.2:5"),
        ("another key", 1, "10.0.0.2:5"),
        ("another key", 1000, "10.0.0.2:999"),
        ("unknown", 1, "10.0.0.1:5"),
    ]
    assert refusals.total == 1005


def test_the_busiest_host_gives_way():
    refusals = Refusals(Clock())
    refusals.record("udp", "10.0.0.1:5", Refused(ID, "unknown", "00" * 12))
    refusals.record("tcp", "[::1]:5", Refused(TRANSPORT, "other"))
    for i in range(2000):
        refusals.record("udp", f"10.0.0.2:{i}", Refused(ID, "unknown", f"{i:024x}"))
    found = refusals.recent()
    assert len(found) == 500 and refusals.total == 2002
    assert [r.address for r in found[-2:]] == ["[::1]:5", "10.0.0.1:5"]
    assert found[0].address == "10.0.0.2:1999"
    assert sum(refusals._hosts.values()) == 500


def test_an_entry_shows_the_last_attempt():
    clock = Clock()
    refusals = Refusals(clock)
    for moment, address in ((100.0, "10.0.0.1:7"), (200.0, "10.0.0.1:8")):
        clock.time = lambda moment=moment: moment
        refusals.record("udp", address, Refused(ID, "unknown", "00" * 12))
    (found,) = refusals.recent()
    assert (found.at, found.address, found.count) == (200.0, "10.0.0.1:8", 2)
