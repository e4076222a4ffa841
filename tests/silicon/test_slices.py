"""No call is longer than a slice may be (DESIGN decision 6), counted on the emulated Cortex-M3."""

import pytest

from bench import instructions
from silicon import cortex_m3

_SLICE = 2_000_000
_BOOT = 50_000_000


@pytest.mark.parametrize("file", instructions.default_files(), ids=lambda path: path.stem)
def test_every_slice_is_short(need, file):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    counted, failed = instructions.count([file])
    assert not failed
    assert counted
    # nothing waits for the boot stage, which may read 60 kB; its own limit is in ota-and-boot 7
    limit = _BOOT if file.stem == "boot" else _SLICE
    longest = {one.key: max(one.longest, one.collected) for one in counted}
    assert {key: n for key, n in longest.items() if n > limit} == {}


def test_what_is_counted(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cases = tmp_path / "some_cases.py"
    cases.write_text(
        "def steps():\n"
        "    for n in (10, 1000, 100):\n"
        "        for _ in range(n):\n"
        "            pass\n"
        "        yield\n"
        "def cases():\n"
        "    yield 'steps', steps\n"
        "    yield 'bytes', lambda: bytearray(1600)\n"
        "    yield 'wrong', lambda: 1 / 0\n"
        "    yield 'behind', lambda: None\n"
    )
    counted, failed = instructions.count([cases])
    found = {one.key: one for one in counted}
    assert set(found) == {"steps", "bytes", "behind"}
    assert found["steps"].slices == 4
    # about 250 instructions a turn
    assert 150_000 < found["steps"].longest < found["steps"].total < 400_000
    assert 1600 <= found["bytes"].allocated <= 1700
    assert found["behind"].total < 1000
    assert failed and all("ZeroDivisionError" in text for text in failed)
    assert instructions.count([cases])[0] == counted
