"""The client fits a small 32-bit heap: the core over UDP, frozen, on the emulated Cortex-M3.

`bench.heap_frozen` finds the smallest heaps; these are ceilings (DESIGN section 6).
"""

import pytest

from bench import heap_frozen, local
from silicon import cortex_m3

# What else is in memory in the worst moment depends on the time, and that on the host
_TRIES, _ENOUGH = 3, 2


@pytest.mark.parametrize(
    ("resumed", "kib"), [(False, 28), (True, 22)], ids=["handshake", "steady"]
)
def test_connects_publishes_and_is_called(need, resumed, kib):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    with local.cloud() as (folder, cloud):
        trial = heap_frozen.Trial(folder / "board", cloud, "0" * 24, "udp", resumed, True)
        passed = sum(trial.passes(kib) for _ in range(_TRIES))
        assert passed >= _ENOUGH, trial.output
