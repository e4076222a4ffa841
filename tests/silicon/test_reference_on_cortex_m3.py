"""The device's cryptography in Python against published vectors, on the emulated Cortex-M3."""

import pytest

from bench import c_module
from reference import check
from silicon import cortex_m3

_CASES = 24  # of each group; the 32-bit interpreter runs all of them


@pytest.mark.parametrize("group", check.GROUPS)
def test_on_cortex_m3(need, group):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cases = list(check.GROUPS[group]())
    cases = cases[:: len(cases) // _CASES + 1]
    assert check.differences(cases, c_module.reference(cases)) == []
