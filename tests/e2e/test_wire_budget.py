"""The budgets on the wire and on flash (DESIGN 6) are ceilings."""

from bench.wire_rows import rows

CEILINGS = {  # network bytes, datagrams
    "resume_publish": [145, 2],  # one round trip
    "publish": [145, 2],
    "resume": [131, 2],
    "ping": [131, 2],
    "connect": [2150, 8],
    "connect_cookie_32": [2182, 8],
}


def test_budgets():
    found = rows()
    session, records, writes = found["wear"]
    over = {
        name: found[name]
        for name, ceiling in CEILINGS.items()
        if any(map(int.__gt__, found[name], ceiling))
    }
    assert not over
    # the events about updates cost bytes, but no datagram
    assert found["connect_events"][1] == found["connect"][1]
    assert found["resume_events"][1] == found["resume"][1]
    assert session <= 256
    # what a connection stores at its beginning is not the records' share
    assert records > 2000 and writes <= records / 256 + 1
