"""An update takes at most 8 kB of a 32-bit heap for its data."""

from bench import updates
from silicon import cortex_m3


def test_an_application_that_is_unpacked_while_it_arrives(need):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    code, data = updates.heap()
    assert code > 0 < data <= updates.HEAP_GOAL
